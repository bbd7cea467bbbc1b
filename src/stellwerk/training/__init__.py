"""Train a model and judge it: the DVC stage, packages, checks of source and of packages."""

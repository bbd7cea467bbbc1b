"""The rules a notebook is held to, one file per idea."""

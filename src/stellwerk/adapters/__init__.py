"""The only subprocess, network, git and DVC of the program: one package or module per thing outside."""

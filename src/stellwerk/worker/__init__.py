"""Scripts that run in processes of their own; each is one file that imports nothing of Stellwerk."""

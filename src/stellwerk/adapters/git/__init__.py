"""Git: bulk reads through the command itself (`read`), writes and remotes through GitPython (`write`)."""

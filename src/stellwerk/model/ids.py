"""The ids of contents that a `Tree` gives: git's, or one of its own for a file that differs from its commit."""

CHANGED = "worktree:"  # begins the id of a changed file; such an id is good for this moment only

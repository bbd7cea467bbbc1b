"""Rows of a dataset: reading and writing, column checks, holdouts, profiles, suspected leaks."""

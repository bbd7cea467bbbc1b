"""Declarations to the text of generated files. Pure: same input, same bytes."""

"""Turns plans, findings and views into text, JSON and Markdown. Pure: nothing here prints, reads or asks."""

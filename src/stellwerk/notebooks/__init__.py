"""Notebooks become source: read, judged and converted without Jupyter. Pure; no formatter and no IPython is imported.

document    the bytes of an .ipynb -> Notebook
magics      a cell's text -> plain Python with as many lines
flow        what each cell defines, uses, imports and changes
problems    the rules of `rules/`, applied
convert     the generated module and its tests
"""

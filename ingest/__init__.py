"""Stage 1: what a teacher wrote or a data set published becomes assertions, and these become the graph.

`readers` has one function a file format, `cleaning` the paper's rules for a teacher's text, `load` brings a file
into the graph as one run.
"""

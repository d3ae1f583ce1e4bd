"""Duplicates among texts and among the edges of the graph."""

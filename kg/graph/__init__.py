"""The graph: its verbs, and what its transactions write and read."""

"""Commands that are no stage's own: the server, the graph's queries, exports and runs."""

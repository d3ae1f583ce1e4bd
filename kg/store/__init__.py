"""Cypher and Bolt: the statements of `cypher/`, the connection that runs them, and the guard of a user's own."""

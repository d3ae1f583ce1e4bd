"""SPARQL over a copy of the graph as RDF, kept in the workspace: guarded, and each query in its own process."""

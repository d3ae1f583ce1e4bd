"""RDF, out and in."""

"""Students measured as the papers measured theirs: published forms of files, published metrics, and their controls."""

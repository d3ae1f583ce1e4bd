"""The whole graph as a folder: written, hashed, restored, imported in bulk."""

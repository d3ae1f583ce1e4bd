"""The private Neo4j: its folder, its process, its jars. Nothing here knows of the graph."""

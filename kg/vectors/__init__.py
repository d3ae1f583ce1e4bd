"""Term vectors that know the graph: retrofitting, kept in Neo4j's vector index, exported and evaluated."""

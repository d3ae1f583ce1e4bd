// Take empty sources from edges: Neo4j's importer makes an array of bytes of an empty list.
//
// -> edges
MATCH ()-[r]->()
WHERE size(r.sources) = 0
REMOVE r.sources
RETURN count(r) AS edges

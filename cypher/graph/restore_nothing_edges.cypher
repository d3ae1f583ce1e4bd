// Edges that say "no effect", as they were in another graph. What this graph says already stays; runs are joined.
//
// $rows  one map an edge: head, properties
// -> written
MERGE (nothing:Nothing {id: "none"})
WITH nothing
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MERGE (head)-[r:RELATION]->(nothing)
ON CREATE SET r = row.properties
ON MATCH SET
  r.runs = r.runs + [run IN row.properties.runs WHERE NOT run IN r.runs],
  r.predicted = r.predicted AND row.properties.predicted
RETURN count(*) AS written

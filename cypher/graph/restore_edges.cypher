// Edges of one relation as they were in another graph. What this graph says already stays; runs are joined.
//
// $rows  one map an edge: head, tail, properties
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (head)-[r:RELATION]->(tail)
ON CREATE SET r = row.properties
ON MATCH SET
  r.runs = r.runs + [run IN row.properties.runs WHERE NOT run IN r.runs],
  r.predicted = r.predicted AND row.properties.predicted
RETURN count(*) AS written

// Duplicates of another graph.
//
// $rows  one map a duplicate: head, tail, properties
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (d:Duplicate {id: row.properties.id})
SET d += row.properties
MERGE (d)-[:HEAD]->(head)
MERGE (d)-[:TAIL]->(tail)

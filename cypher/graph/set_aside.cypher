// Takes duplicates of one relation out of the graph; a node keeps each, with all that is known of the edge.
//
// $rows  one map a triple: id, head, tail
// $run   id of the run that takes them
// -> head, tail
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})-[r:RELATION]->(tail:Phrase {id: row.tail})
MERGE (d:Duplicate {id: row.id})
SET d += properties(r), d.relation = type(r), d.run = $run
MERGE (d)-[:HEAD]->(head)
MERGE (d)-[:TAIL]->(tail)
DELETE r
RETURN row.head AS head, row.tail AS tail

// Duplicates of one relation that become edges again.
//
// $rows  one map an edge: id, head, tail, derived, properties
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (head)-[r:RELATION]->(tail)
SET r += row.properties
SET head:Event, head.split = coalesce(head.split, split(head.splits[0], " ")[0], row.derived), tail:Inference
RETURN count(*) AS written

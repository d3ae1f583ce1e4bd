// Edges of one relation that are to go, whoever asserted them.
//
// $rows  one map a triple: head, tail
// -> head, tail
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})-[r:RELATION]->(tail:Phrase {id: row.tail})
DELETE r
RETURN row.head AS head, row.tail AS tail

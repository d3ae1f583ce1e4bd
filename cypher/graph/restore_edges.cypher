// Edges of one relation as they were in another graph.
//
// `known` lists those that this graph has: the number of the row, the element id, and the properties.
//
// $rows  one map an edge: head, tail, properties
// -> written, known
UNWIND range(0, size($rows) - 1) AS place
WITH place, $rows[place] AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (head)-[r:RELATION]->(tail)
ON CREATE SET r = row.properties, r.new = true
WITH place, r, r.new IS NULL AS known
REMOVE r.new
RETURN count(*) AS written, collect(CASE WHEN known THEN [place, elementId(r), properties(r)] END) AS known

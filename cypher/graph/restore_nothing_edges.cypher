// Edges that say "no effect", as they were in another graph; `known` is as in `graph/restore_edges`.
//
// $rows  one map an edge: head, tail, properties
// -> written, known
MERGE (nothing:Nothing {id: "none"})
WITH nothing
UNWIND range(0, size($rows) - 1) AS place
WITH nothing, place, $rows[place] AS row
MATCH (head:Phrase {id: row.head})
MERGE (head)-[r:RELATION]->(nothing)
ON CREATE SET r = row.properties, r.new = true
WITH place, r, r.new IS NULL AS known
REMOVE r.new
RETURN count(*) AS written, collect(CASE WHEN known THEN [place, elementId(r), properties(r)] END) AS known

// Edges of one relation from events that nothing left before; `graph/add_edges` without a look at what is there.
//
// $rows       one map a triple: head, tail, and what the run states of it (`kg.model.STATED`)
// $run        id of the run
// $predicted  whether the run is a student's
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
CREATE (head)-[r:RELATION]->(tail)
SET r.runs = [$run], r.predicted = $predicted, r += row {.*, head: null, tail: null}
RETURN count(*) AS written

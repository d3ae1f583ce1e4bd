// Edges of one relation from events that nothing left before; `graph/add_edges` without a look at what is there.
//
// $rows       one map a triple: head, tail, logprob, weight, sources, details, published
// $run        id of the run
// $predicted  whether the run is a student's
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
CREATE (head)-[r:RELATION]->(tail)
SET r.runs = [$run], r.predicted = $predicted, r.logprob = row.logprob, r.weight = row.weight,
  r.sources = row.sources, r.details = row.details, r.published = row.published
RETURN count(*) AS written

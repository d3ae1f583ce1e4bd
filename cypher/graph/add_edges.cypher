// Edges of one relation, as one run asserts them. What a run says about a triple is kept when it is the first.
//
// $rows       one map a triple: head, tail, logprob, weight, sources, score, critic
// $run        id of the run
// $predicted  whether the run is a student's
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (head)-[r:RELATION]->(tail)
ON CREATE SET r.runs = [$run], r.predicted = $predicted, r.logprob = row.logprob, r.weight = row.weight,
  r.sources = row.sources, r.score = row.score, r.critic = row.critic
ON MATCH SET r.runs = CASE WHEN $run IN r.runs THEN r.runs ELSE r.runs + $run END,
  r.predicted = r.predicted AND $predicted
RETURN count(*) AS written

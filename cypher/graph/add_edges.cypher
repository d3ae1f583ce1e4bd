// Edges of one relation, as one run asserts them. What a run says about a triple is kept
// when it is the first.
//
// $rows       one map a triple: head, tail, logprob, weight, sources, details, score, critic
// $run        id of the run
// $predicted  whether the run is a student's
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (head)-[r:RELATION]->(tail)
ON CREATE SET r.runs = [$run], r.predicted = $predicted, r.logprob = row.logprob, r.weight = row.weight,
  r.sources = row.sources, r.details = row.details, r.score = row.score, r.critic = row.critic
ON MATCH SET
  r.sources = CASE
    WHEN r.runs[0] = $run AND row.sources IS NOT NULL
      THEN coalesce(r.sources, []) + [s IN row.sources WHERE NOT s IN coalesce(r.sources, [])]
    ELSE r.sources
  END,
  r.runs = CASE WHEN $run IN r.runs THEN r.runs ELSE r.runs + $run END,
  r.predicted = r.predicted AND $predicted
RETURN count(*) AS written

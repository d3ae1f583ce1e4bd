// Edges that say "no effect", to the one node that stands for nothing.
//
// $rows       one map a triple: head, logprob, weight, sources, details
// $run        id of the run
// $predicted  whether the run is a student's
// -> written
MERGE (nothing:Nothing {id: "none"})
WITH nothing
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MERGE (head)-[r:RELATION]->(nothing)
ON CREATE SET r.runs = [$run], r.predicted = $predicted, r.logprob = row.logprob, r.weight = row.weight,
  r.sources = row.sources, r.details = row.details
ON MATCH SET
  r.sources = CASE
    WHEN r.runs[0] = $run AND row.sources IS NOT NULL
      THEN coalesce(r.sources, []) + [s IN row.sources WHERE NOT s IN coalesce(r.sources, [])]
    ELSE r.sources
  END,
  r.runs = CASE WHEN $run IN r.runs THEN r.runs ELSE r.runs + $run END,
  r.predicted = r.predicted AND $predicted
RETURN count(*) AS written

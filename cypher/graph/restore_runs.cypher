// Runs, critics and acceptances of another graph. Those that this graph has stay as they are, and stay current.
//
// $runs         one map of properties a run
// $critics      one a critic
// $acceptances  one an acceptance
FOREACH (row IN $runs | MERGE (n:Run {id: row.id}) ON CREATE SET n = row)
WITH EXISTS { (:Critic {current: true}) } AS has_critic, EXISTS { (:Acceptance {current: true}) } AS has_acceptance
FOREACH (row IN $critics |
  MERGE (n:Critic {id: row.id})
  ON CREATE SET n = row, n.current = row.current AND NOT has_critic
)
FOREACH (row IN $acceptances |
  MERGE (n:Acceptance {id: row.id})
  ON CREATE SET n = row, n.current = row.current AND NOT has_acceptance
)

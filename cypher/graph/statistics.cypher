// Counts of nodes. A phrase that only duplicates need, which were set aside, does not count.
//
// -> phrases, events, inferences, judgements, tasks, runs, critics
OPTIONAL MATCH (:Duplicate)-[:HEAD|TAIL]->(p:Phrase)
WHERE p.runs IS NULL
  AND NOT EXISTS { MATCH (p)--(other) WHERE NOT other:Duplicate }
WITH count(DISTINCT p) AS aside
RETURN COUNT { (:Phrase) } - aside AS phrases, COUNT { (:Event) } AS events, COUNT { (:Inference) } AS inferences,
  COUNT { (:Judgement) } AS judgements, COUNT { (:Task) } AS tasks, COUNT { (:Run) } AS runs, COUNT { (:Critic) } AS critics

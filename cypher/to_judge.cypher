// Predictions of a student drawn at random, to be judged for kg student evaluate --judgements.
//
// $student  id of a student, or null for all (default null)
// -> head, relation, tail
MATCH (run:Run {kind: "predict"})
WHERE $student IS NULL OR run.model = $student
WITH collect(run.id) AS runs
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE any(id IN r.runs WHERE id IN runs)
RETURN head.text AS head, type(r) AS relation, tail.text AS tail
ORDER BY rand()

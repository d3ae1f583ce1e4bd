// A student's newest predictions about a split, drawn at random, to be judged for kg student evaluate --judgements.
//
// $student  id of a student, or null for all (default null)
// $split    whose events, as for kg student evaluate (default "test")
// $lang     language of the events, or null for all (default null)
// -> head, relation, tail
MATCH (run:Run {kind: "predict", status: "finished"})
WHERE ($student IS NULL OR run.model = $student)
  AND run.parameters CONTAINS '"split": "' + $split + '"'
WITH run
ORDER BY run.started DESC, run.id
WITH run.model AS student, head(collect(run.id)) AS newest
WITH collect(newest) AS runs
MATCH (head:Event {split: $split})-[r]->(tail:Phrase)
WHERE any(id IN r.runs WHERE id IN runs)
  AND ($lang IS NULL OR head.lang = $lang)
RETURN head.text AS head, type(r) AS relation, tail.text AS tail
ORDER BY rand()

// What a student of kg student improve is trained on: accepted triples of the training events, a teacher's and those
// that students predicted in the rounds before. Runs are a teacher's, of what students alone predicted those of rounds.
//
// $rounds  the runs of these predictions (default [])
// ->       head, relation, tail, lang, tail_lang, head_uri, tail_uri, runs
MATCH (head:Event {split: "train"})-[r]->(tail:Phrase)
WHERE r.accepted
  AND (NOT r.predicted OR any(run IN r.runs WHERE run IN $rounds))
WITH head, r, tail
ORDER BY head.id, type(r), tail.id
RETURN
  head.text AS head, type(r) AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang,
  coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, "") AS tail_uri,
  [run IN r.runs WHERE CASE WHEN r.predicted THEN run IN $rounds ELSE NOT run STARTS WITH "predict-" END] AS runs

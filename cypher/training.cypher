// What a student is trained on: triples of the training events, by default the accepted ones of the teacher.
//
// -> head, relation, tail, lang, tail_lang, head_uri, tail_uri, runs
MATCH (head:Event {split: "train"})-[r]->(tail:Phrase)
WHERE (r.accepted AND NOT r.predicted /* where */)
WITH head, r, tail
ORDER BY head.id, type(r), tail.id
RETURN
  head.text AS head, type(r) AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang,
  coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, "") AS tail_uri,
  r.runs AS runs

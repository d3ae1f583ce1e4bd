// As training, with what a teacher says has no effect: ATOMIC's tail none.
//
// -> head, relation, tail, lang, tail_lang, head_uri, tail_uri, runs
MATCH (head:Event {split: "train"})-[r]->(tail:Phrase|Nothing)
WHERE (NOT r.predicted AND r.accepted OR NOT r.predicted AND tail:Nothing /* where */)
WITH head, r, tail
ORDER BY head.id, type(r), tail.id
RETURN
  head.text AS head, type(r) AS relation, coalesce(tail.text, "none") AS tail, head.lang AS lang,
  CASE WHEN coalesce(tail.lang, head.lang) = head.lang THEN "" ELSE tail.lang END AS tail_lang,
  coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, "") AS tail_uri,
  r.runs AS runs

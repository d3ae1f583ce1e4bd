// A task with its triple, locked with its batch until the transaction ends: who gets which is not decided meanwhile.
//
// $id  its key
// -> id, run, status, head_id, tail_id, head, relation, tail, lang, tail_lang, head_uri, tail_uri, judged, skipped, log
MATCH (t:Task {id: $id})
MATCH (n:Run {id: t.run})
SET n.status = n.status
WITH t, n
MATCH (t)-[:HEAD]->(head:Phrase)
MATCH (t)-[:TAIL]->(tail:Phrase)
RETURN t.id AS id, t.run AS run, n.status AS status, head.id AS head_id, tail.id AS tail_id, head.text AS head,
  t.relation AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang, coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri,
  t.judged AS judged, t.skipped AS skipped, t.log AS log

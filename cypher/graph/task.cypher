// A task with its triple.
//
// $id  its key
// -> id, run, head_id, tail_id, head, relation, tail, lang, tail_lang, head_uri, tail_uri, wanted, judged, skipped, log
MATCH (t:Task {id: $id})-[:HEAD]->(head:Phrase)
MATCH (t)-[:TAIL]->(tail:Phrase)
RETURN t.id AS id, t.run AS run, head.id AS head_id, tail.id AS tail_id, head.text AS head, t.relation AS relation,
  tail.text AS tail, head.lang AS lang, CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang,
  coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri,
  t.wanted AS wanted, t.judged AS judged, t.skipped AS skipped, t.log AS log

// Tasks of a batch with their triples, in the order in which they are judged.
//
// $batch  id of the run that drew them
// -> id, run, head, relation, tail, lang, tail_lang, head_uri, tail_uri
MATCH (t:Task {run: $batch})-[:HEAD]->(head:Phrase)
MATCH (t)-[:TAIL]->(tail:Phrase)
RETURN t.id AS id, t.run AS run, head.text AS head, t.relation AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang, coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri
ORDER BY t.place, t.id

// Triples that were drawn to be judged, each with the probability with which a run drew it, in the order of their keys.
//
// -> run, head, relation, tail, lang, tail_lang, head_uri, tail_uri, probability
MATCH (t:Task)-[:HEAD]->(head:Phrase)
MATCH (t)-[:TAIL]->(tail:Phrase)
WHERE t.probability IS NOT NULL
WITH t, head, tail
ORDER BY t.id
RETURN t.run AS run, head.text AS head, t.relation AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang, coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri,
  t.probability AS probability

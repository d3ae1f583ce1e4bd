// All judgements, in the order of their keys.
//
// -> head, relation, tail, lang, tail_lang, head_uri, tail_uri, annotator, value
MATCH (j:Judgement)-[:HEAD]->(head:Phrase)
MATCH (j)-[:TAIL]->(tail:Phrase)
RETURN head.text AS head, j.relation AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang, coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri,
  j.annotator AS annotator, j.value AS value
ORDER BY j.id

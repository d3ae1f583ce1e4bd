// All judgements, in the order of their keys.
//
// -> head, relation, tail, lang, annotator, value, head_uri, tail_id, tail_lang, tail_uri
MATCH (j:Judgement)-[:HEAD]->(head:Phrase)
MATCH (j)-[:TAIL]->(tail:Phrase)
RETURN head.text AS head, j.relation AS relation, tail.text AS tail, head.lang AS lang,
  j.annotator AS annotator, j.value AS value, head.uri AS head_uri, tail.id AS tail_id, tail.lang AS tail_lang,
  tail.uri AS tail_uri
ORDER BY j.id

// All judgements, in the order of their keys.
//
// -> head, relation, tail, lang, annotator, value
MATCH (j:Judgement)-[:HEAD]->(head:Phrase)
MATCH (j)-[:TAIL]->(tail:Phrase)
RETURN head.text AS head, j.relation AS relation, tail.text AS tail, head.lang AS lang,
  j.annotator AS annotator, j.value AS value
ORDER BY j.id

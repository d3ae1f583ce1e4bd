// Judged edges on which critic and annotators differ most.
//
// -> head, relation, tail, value, score, annotator
MATCH (j:Judgement)-[:HEAD]->(head:Event)-[r]->(tail:Phrase)<-[:TAIL]-(j)
WHERE j.relation = type(r)
  AND r.score IS NOT NULL
RETURN head.text AS head, j.relation AS relation, tail.text AS tail, j.value AS value, round(r.score, 3) AS score,
  j.annotator AS annotator
ORDER BY abs(toInteger(j.value > 0) - r.score) DESC, head, relation, tail, annotator

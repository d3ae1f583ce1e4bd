// All judgements as they are kept, in the order of their keys.
//
// -> id, head, relation, tail, annotator, value, at, runs, values
MATCH (j:Judgement)-[:HEAD]->(head)
MATCH (j)-[:TAIL]->(tail)
RETURN j.id AS id, head.id AS head, j.relation AS relation, tail.id AS tail, j.annotator AS annotator,
  j.value AS value, j.at AS at, j.runs AS runs, coalesce(j.values, [_ IN j.runs | j.value]) AS values
ORDER BY id

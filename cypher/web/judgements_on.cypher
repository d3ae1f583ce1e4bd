// Verdicts on what is inferred from an event.
//
// $id  key of the event
// -> relation, tail_id, annotator, value, at
MATCH (:Phrase {id: $id})<-[:HEAD]-(j:Judgement)-[:TAIL]->(tail)
RETURN j.relation AS relation, tail.id AS tail_id, j.annotator AS annotator, j.value AS value, j.at AS at
ORDER BY relation, tail_id, annotator

// Verdicts on what is inferred from an event, with all that was ever said of it through tasks.
//
// $id  key of the event
// -> relation, tail_id, annotator, value, at, runs, log
MATCH (head:Phrase {id: $id})<-[:HEAD]-(j:Judgement)-[:TAIL]->(tail)
RETURN j.relation AS relation, tail.id AS tail_id, j.annotator AS annotator, j.value AS value, j.at AS at, j.runs AS runs,
  COLLECT {
    MATCH (head)<-[:HEAD]-(t:Task)-[:TAIL]->(tail)
    WHERE t.relation = j.relation
    UNWIND t.log AS entry
    RETURN entry
  } AS log
ORDER BY relation, tail_id, annotator

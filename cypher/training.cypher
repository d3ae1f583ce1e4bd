// What a student is trained on: accepted triples of the training events, as the teacher wrote them.
//
// -> head, relation, tail, lang
MATCH (head:Event {split: "train"})-[r]->(tail:Phrase)
WHERE r.accepted
  AND NOT r.predicted
RETURN head.text AS head, type(r) AS relation, tail.text AS tail, head.lang AS lang
ORDER BY head.id, relation, tail.id

// What a student is trained on: triples of the training events, by default the accepted ones of the teacher.
//
// -> head, relation, tail, lang
MATCH (head:Event {split: "train"})-[r]->(tail:Phrase)
WHERE (r.accepted AND NOT r.predicted /* where */)
WITH head, r, tail
ORDER BY head.id, type(r), tail.id
RETURN head.text AS head, type(r) AS relation, tail.text AS tail, head.lang AS lang

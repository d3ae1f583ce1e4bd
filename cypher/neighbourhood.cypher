// What the graph knows about an event, the surest first.
//
// $event  text of the event, or the beginning of it
// -> event, relation, tail, score, accepted, predicted
MATCH (head:Event)
WHERE head.text STARTS WITH $event
WITH head
ORDER BY head.text
LIMIT 1
MATCH (head)-[r]->(tail:Phrase|Nothing)
RETURN head.text AS event, type(r) AS relation, coalesce(tail.text, "none") AS tail, round(r.score, 3) AS score,
  r.accepted AS accepted, r.predicted AS predicted
ORDER BY relation, coalesce(score, -1.0) DESC, tail

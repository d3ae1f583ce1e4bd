// Tails that the most events share: what a model says when it has nothing to say.
//
// -> tail, events, relations, mean_score
MATCH (head:Event)-[r]->(tail:Phrase)
RETURN tail.text AS tail, count(DISTINCT head) AS events, collect(DISTINCT type(r)) AS relations,
  round(avg(r.score), 3) AS mean_score
ORDER BY events DESC, tail

// What is inferred from an event, by relation, the surest first.
//
// $id     key of the event
// $count  most edges returned
// -> relation, tail_id, tail, runs, predicted, score, critic, accepted, logprob, weight, published
MATCH (head:Phrase {id: $id})-[r]->(tail:Phrase|Nothing)
WITH r, type(r) AS relation, tail
ORDER BY relation, coalesce(r.score, -1.0) DESC, tail.text, tail.id
LIMIT $count
RETURN relation, tail.id AS tail_id, coalesce(tail.text, "none") AS tail, r.runs AS runs, r.predicted AS predicted,
  r.score AS score, r.critic AS critic, r.accepted AS accepted, r.logprob AS logprob, r.weight AS weight,
  r.published AS published

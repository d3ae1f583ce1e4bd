// Edges of a page of events, with all that is said about them, in the order of heads, relations, tails.
//
// $last       key after which the page begins
// $until      last key of the page
// $split      train, validation, test, or null for all
// $min_score  smallest score returned, or null for all edges, scored or not
// $accepted   true for accepted edges only, or null
// -> edge, head_id, head, lang, split, relation, tail_id, tail, runs, predicted, logprob, score, critic, accepted, weight, sources, details, head_uri, tail_lang, tail_uri
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
  AND ($split IS NULL OR head.split = $split)
MATCH (head)-[r]->(tail:Phrase|Nothing)
WHERE ($min_score IS NULL OR r.score >= $min_score)
  AND ($accepted IS NULL OR coalesce(r.accepted, false) = $accepted)
  AND (true /* where */)
RETURN elementId(r) AS edge, head.id AS head_id, head.text AS head, head.lang AS lang, head.split AS split,
  type(r) AS relation, tail.id AS tail_id, coalesce(tail.text, tail.id) AS tail, r.runs AS runs,
  r.predicted AS predicted, r.logprob AS logprob, r.score AS score, r.critic AS critic, r.accepted AS accepted,
  r.weight AS weight, r.sources AS sources, r.details AS details,
  head.uri AS head_uri, tail.lang AS tail_lang, tail.uri AS tail_uri
ORDER BY head_id, relation, tail_id

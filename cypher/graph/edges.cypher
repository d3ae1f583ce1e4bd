// Edges of a page of events, with all that is said about them, in the order of heads, relations, tails.
//
// All rows come as one list of lists, in the order of `kg.graph.rows.EdgeRow`: a record for each costs ten times more.
//
// $last       key after which the page begins
// $until      last key of the page
// $split      train, validation, test, or null for all
// $min_score  smallest score returned, or null for all edges, scored or not
// $accepted   true for accepted edges only, or null
// -> rows
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
  AND ($split IS NULL OR head.split = $split)
MATCH (head)-[r]->(tail:Phrase|Nothing)
WHERE ($min_score IS NULL OR r.score >= $min_score)
  AND ($accepted IS NULL OR coalesce(r.accepted, false) = $accepted)
  AND (true /* where */)
WITH head, r, tail, head.id AS head_id, type(r) AS relation, tail.id AS tail_id, coalesce(tail.text, tail.id) AS text
ORDER BY head_id, relation, tail_id
RETURN collect([
  elementId(r), head_id, tail_id,
  head.text, relation, text, head.lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE coalesce(tail.lang, "") END,
  coalesce(head.uri, ""),
  CASE WHEN text = "none" AND tail:Phrase THEN coalesce(tail.uri, "/c/" + tail.lang + "/none") ELSE coalesce(tail.uri, "") END,
  head.split, r.runs, r.predicted, r.logprob, r.score, r.critic, r.accepted, r.weight, coalesce(r.sources, []), r.details,
  r.published, coalesce(r.scores, []), coalesce(r.statements, [])
]) AS rows

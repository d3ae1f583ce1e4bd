// Edges that pass filters, in the order of heads' keys, relations and tails' keys.
//
// $head      key of the event after whose edge the page begins; empty to begin with the first
// $after     relation of that edge
// $tail      key of the tail of that edge
// $start     {all, ids, lang} of the edges' heads: whether all will do, keys, a language
// $end       the same of their tails
// $node      the same of either end
// $other     the same of the other end
// $relation  a relation, or null for all
// $source    {runs, uri, text, below}: runs, or what stands in a source; null for all
// $dataset   {runs, text, below, any}: runs, or what stands in the details; null for all
// $offset    edges left out before the first one returned
// $count     most edges returned
// -> head_id, tail_id, head, head_lang, head_uri, relation, tail, tail_lang, tail_uri, weight, sources, details, runs, score, critic, accepted, predicted, published
MATCH (head:Event)
WHERE head.id >= $head
WITH head
ORDER BY head.id
CALL (head) {
  MATCH (head)-[r]->(tail:Phrase)
  WHERE (head.id <> $head OR type(r) > $after OR (type(r) = $after AND tail.id > $tail))
  AND ($relation IS NULL OR type(r) = $relation)
  AND ($start.all OR head.id IN $start.ids OR head.lang = $start.lang)
  AND ($end.all OR tail.id IN $end.ids OR tail.lang = $end.lang)
  AND any(pair IN [[head, tail], [tail, head]] WHERE
    ($node.all OR pair[0].id IN $node.ids OR pair[0].lang = $node.lang)
    AND ($other.all OR pair[1].id IN $other.ids OR pair[1].lang = $other.lang))
  AND ($source IS NULL
    OR any(run IN r.runs WHERE run IN $source.runs)
    OR any(one IN coalesce(r.sources, []) WHERE one = $source.uri OR one CONTAINS $source.text OR one CONTAINS $source.below))
  AND ($dataset IS NULL
    OR coalesce(r.details, "") CONTAINS $dataset.text OR coalesce(r.details, "") CONTAINS $dataset.below
    OR (r.runs[0] IN $dataset.runs AND NOT coalesce(r.details, "") CONTAINS $dataset.any))
  RETURN r, tail
  ORDER BY type(r), tail.id
}
WITH head, r, tail
SKIP $offset
LIMIT $count
RETURN head.id AS head_id, tail.id AS tail_id, head.text AS head, head.lang AS head_lang, coalesce(head.uri, "") AS head_uri,
  type(r) AS relation, tail.text AS tail, tail.lang AS tail_lang, coalesce(tail.uri, "") AS tail_uri, r.weight AS weight,
  coalesce(r.sources, []) AS sources, r.details AS details, r.runs AS runs, r.score AS score, r.critic AS critic,
  r.accepted AS accepted, r.predicted AS predicted, r.published AS published

// A page of the phrases that some edges use, in the order of their keys.
//
// All rows come as one list of lists: id, text, lang, labels, split, uri, runs, logprob, splits, statements.
//
// $last       key after which the page begins
// $phrases    phrases in a page
// $every      true for all phrases, used or not
// $split      split of the edges' events: train, validation, test, or null for all
// $min_score  smallest score of the edges, or null for all edges, scored or not
// $accepted   true for accepted edges only, or null
// -> rows
MATCH (p:Phrase)
WHERE p.id > $last
  AND (
    $every
    OR EXISTS {
      MATCH (p)-[r]->(tail:Phrase|Nothing)
      WITH p AS head, r, tail
      WHERE ($split IS NULL OR head.split = $split)
        AND ($min_score IS NULL OR r.score >= $min_score)
        AND ($accepted IS NULL OR coalesce(r.accepted, false) = $accepted)
        AND (true /* where */)
    }
    OR EXISTS {
      MATCH (head:Event)-[r]->(p)
      WITH head, r, p AS tail
      WHERE ($split IS NULL OR head.split = $split)
        AND ($min_score IS NULL OR r.score >= $min_score)
        AND ($accepted IS NULL OR coalesce(r.accepted, false) = $accepted)
        AND (true /* where */)
    }
  )
WITH p
ORDER BY p.id
LIMIT $phrases
RETURN collect([
  p.id, p.text, p.lang, [name IN ["Event", "Inference", "Concept"] WHERE name IN labels(p)], p.split,
  coalesce(p.uri, ""), coalesce(p.runs, []), p.logprob, coalesce(p.splits, []), coalesce(p.statements, [])
]) AS rows

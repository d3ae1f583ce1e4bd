// How plausible and how typical triples are, by the critics of both aspects that were current last; null without one.
//
// $split  train, validation or test, or null for all (default null)
// -> head, relation, tail, plausible, typical
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE r.score IS NOT NULL
  AND ($split IS NULL OR head.split = $split)
WITH head, r, tail, [text IN coalesce(r.scores, []) | split(text, " ")] + [[toString(r.score), r.critic]] AS scores
WITH head, r, tail,
  COLLECT {
    UNWIND scores AS one
    MATCH (critic:Critic {id: one[1]})
    WHERE coalesce(critic.aspect, "plausible") = "plausible"
    RETURN toFloat(one[0])
    ORDER BY critic.order DESC
    LIMIT 1
  }[0] AS plausible,
  COLLECT {
    UNWIND scores AS one
    MATCH (critic:Critic {id: one[1]})
    WHERE critic.aspect = "typical"
    RETURN toFloat(one[0])
    ORDER BY critic.order DESC
    LIMIT 1
  }[0] AS typical
RETURN head.text AS head, type(r) AS relation, tail.text AS tail, plausible, typical
ORDER BY coalesce(typical, -1.0) DESC, head, relation, tail

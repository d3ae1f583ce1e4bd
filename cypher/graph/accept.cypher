// Accepts, among the edges of a page of events that a critic scored, those that reach the threshold of their relation.
//
// $last        key after which the page begins
// $until       last key of the page
// $critic      id of the critic
// $thresholds  smallest accepted score, in [0, 1], by relation
// -> accepted
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
MATCH (head)-[r]->(:Phrase)
WHERE r.critic = $critic
SET r.accepted = r.score >= $thresholds[type(r)]
RETURN count(*) AS accepted

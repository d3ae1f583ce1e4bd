// Accepts, among the edges of a page of events that a critic scored, those that reach the threshold of their relation, the
// lowest of the teachers that wrote them.
//
// $last        key after which the page begins
// $until       last key of the page
// $critic      id of the critic
// $thresholds  smallest accepted score, in [0, 1], by relation
// $own         the same of teachers that have thresholds of their own, by the id of their run
// $students    ids of the runs whose assertions are predictions, where there are any such thresholds
// -> accepted
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
MATCH (head)-[r]->(:Phrase)
WHERE r.critic = $critic
WITH r, [run IN r.runs WHERE NOT run IN $students | coalesce($own[run], $thresholds)[type(r)]] AS wrote
WITH r, CASE WHEN size(wrote) > 0 THEN wrote ELSE [$thresholds[type(r)]] END AS own
SET r.accepted = r.score >= reduce(lowest = own[0], one IN own | CASE WHEN one < lowest THEN one ELSE lowest END)
RETURN count(*) AS accepted

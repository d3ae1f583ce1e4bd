// How many edges would be accepted, and would no longer be, under other thresholds.
//
// $critic      id of the critic whose score they show
// $thresholds  smallest accepted score, in [0, 1], by relation
// $own         the same of teachers that have thresholds of their own, by the id of their run
// $students    ids of the runs whose assertions are predictions, where there are any such thresholds
// -> more, fewer
MATCH (:Event)-[r]->(:Phrase)
WHERE r.critic = $critic
WITH r, [run IN r.runs WHERE NOT run IN $students | coalesce($own[run], $thresholds)[type(r)]] AS wrote
WITH r, CASE WHEN size(wrote) > 0 THEN wrote ELSE [$thresholds[type(r)]] END AS own
WITH coalesce(r.accepted, false) AS now,
  r.score >= reduce(lowest = own[0], one IN own | CASE WHEN one < lowest THEN one ELSE lowest END) AS following
RETURN count(CASE WHEN following AND NOT now THEN 1 END) AS more,
  count(CASE WHEN now AND NOT following THEN 1 END) AS fewer

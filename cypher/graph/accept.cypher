// Accepts what reaches the threshold of its relation, and nothing else that the critic scored.
//
// $critic     id of the critic
// $threshold  smallest accepted score, in [0, 1]
MATCH (:Event)-[r:RELATION]->(:Phrase)
WHERE r.critic = $critic
CALL (r) {
  SET r.accepted = r.score >= $threshold
} IN TRANSACTIONS OF 10000 ROWS

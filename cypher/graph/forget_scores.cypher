// Removes what one critic said about the edges.
//
// $critic  id of the critic
MATCH (:Event)-[r]->(:Phrase)
WHERE r.critic = $critic
CALL (r) {
  REMOVE r.score, r.critic, r.accepted
} IN TRANSACTIONS OF 10000 ROWS

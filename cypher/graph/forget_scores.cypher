// Removes what one critic said about the edges of a page of events.
//
// $last    key after which the page begins
// $until   last key of the page
// $critic  id of the critic
// -> forgotten
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
MATCH (head)-[r]->(:Phrase)
WHERE r.critic = $critic
REMOVE r.score, r.critic, r.accepted
RETURN count(*) AS forgotten

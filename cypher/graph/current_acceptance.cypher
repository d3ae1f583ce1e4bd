// The current thresholds of a critic.
//
// $critic  id of the critic
// -> acceptance
MATCH (n:Acceptance {current: true, critic: $critic})
RETURN properties(n) AS acceptance

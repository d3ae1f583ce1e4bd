// The current thresholds of a critic.
//
// $critic  id of the critic
// -> acceptance
MATCH (n:Acceptance {critic: $critic})
RETURN properties(n) AS acceptance
ORDER BY n.current DESC, n.order DESC, n.at DESC
LIMIT 1

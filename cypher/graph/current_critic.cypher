// The current critic.
//
// -> critic
MATCH (n:Critic {current: true})
RETURN properties(n) AS critic

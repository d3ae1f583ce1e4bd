// How many transactions have written so far.
//
// -> writes
OPTIONAL MATCH (n:Graph {id: "graph"})
RETURN coalesce(n.writes, 0) AS writes

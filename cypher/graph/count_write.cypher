// Counts a transaction that writes, as the first statement of it: the lock on this one node puts all writers in a row,
// and an export sees by the count that something changed.
MERGE (n:Graph {id: "graph"})
SET n.writes = coalesce(n.writes, 0) + 1

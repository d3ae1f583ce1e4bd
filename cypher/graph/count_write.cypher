// Counts a transaction that writes, as the last statement of it: what an export looks at to know that nothing changed.
MERGE (n:Graph {id: "graph"})
SET n.writes = coalesce(n.writes, 0) + 1

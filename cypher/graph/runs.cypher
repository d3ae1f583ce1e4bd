// Runs, the newest first; or the one with a key.
//
// $id  key of a run, or null for all
// -> run
MATCH (n:Run)
WHERE $id IS NULL OR n.id = $id
RETURN properties(n) AS run
ORDER BY n.started DESC, n.id

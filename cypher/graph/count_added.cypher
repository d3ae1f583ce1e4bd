// Counts what a run has added, in the transaction that adds it.
//
// $id     key of the run
// $added  how many more
MATCH (n:Run {id: $id})
SET n.added = n.added + $added, n.status = "running"

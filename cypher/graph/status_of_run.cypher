// The status of a run, where there is such a run.
//
// $run  its key
// -> status
MATCH (n:Run {id: $run})
RETURN n.status AS status

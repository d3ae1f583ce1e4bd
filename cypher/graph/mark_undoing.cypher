// A run that is going to be undone: nothing is added to it from now on.
//
// $id  its key
MATCH (n:Run {id: $id})
SET n.status = "undoing"

// Deletes some of the tasks of a batch.
//
// $batch  id of the run that drew them
// $limit  how many
// -> head, tail
MATCH (t:Task {run: $batch})
WITH t
LIMIT $limit
MATCH (t)-[:HEAD]->(head)
MATCH (t)-[:TAIL]->(tail)
WITH t, head.id AS head, tail.id AS tail
DETACH DELETE t
RETURN head, tail

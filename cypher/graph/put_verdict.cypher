// An annotator's verdict on the triple of a task. What the same run said before is replaced, and the new verdict comes last.
//
// $id         key of the task
// $judgement  key of the judgement
// $annotator  who judges
// $run        id of the run in which the annotator judges
// $value      2, 1, -1, -2, or -9
// $at         now
// -> added
MATCH (t:Task {id: $id})-[:HEAD]->(head)
MATCH (t)-[:TAIL]->(tail)
MERGE (j:Judgement {id: $judgement})
ON CREATE SET j.relation = t.relation, j.annotator = $annotator, j.at = $at, j.runs = [], j.new = true
WITH j, head, tail, coalesce(j.values, [_ IN j.runs | j.value]) AS verdicts,
  [i IN range(0, size(j.runs) - 1) WHERE j.runs[i] <> $run] AS kept
SET j.values = [i IN kept | verdicts[i]] + $value, j.runs = [i IN kept | j.runs[i]] + $run, j.value = $value
MERGE (j)-[:HEAD]->(head)
MERGE (j)-[:TAIL]->(tail)
WITH j, coalesce(j.new, false) AS added
REMOVE j.new
RETURN added

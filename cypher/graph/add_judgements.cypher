// Verdicts of annotators, of each run its own. The last run's verdict of an annotator on a triple holds.
//
// $rows  one map a judgement: id, head, relation, tail, annotator, value
// $run   id of the run
// $at    when they were recorded
// -> written, added
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (j:Judgement {id: row.id})
ON CREATE SET j.relation = row.relation, j.annotator = row.annotator, j.at = $at, j.runs = [], j.new = true
WITH j, row, head, tail, coalesce(j.values, [_ IN j.runs | j.value]) AS verdicts, $run IN j.runs AS again
SET j.values = CASE
  WHEN again THEN [i IN range(0, size(verdicts) - 1) | CASE WHEN j.runs[i] = $run THEN row.value ELSE verdicts[i] END]
  ELSE verdicts + row.value
END
SET j.runs = CASE WHEN again THEN j.runs ELSE j.runs + $run END, j.value = last(j.values)
MERGE (j)-[:HEAD]->(head)
MERGE (j)-[:TAIL]->(tail)
WITH j, coalesce(j.new, false) AS added
REMOVE j.new
RETURN count(*) AS written, sum(toInteger(added)) AS added

// Tasks of a batch: triples that annotators are to judge.
//
// $rows    one map a task: id, head, relation, tail, place, probability and control (or null)
// $run     id of the run that drew them
// $wanted  how many annotators each is for
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (t:Task {id: row.id})
ON CREATE SET t.run = $run, t.relation = row.relation, t.place = row.place, t.wanted = $wanted, t.probability = row.probability,
  t.control = row.control, t.judged = [], t.skipped = [], t.log = []
MERGE (t)-[:HEAD]->(head)
MERGE (t)-[:TAIL]->(tail)
RETURN count(*) AS written

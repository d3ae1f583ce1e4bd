// Runs, critics, acceptances and students of another graph. Those that this graph has stay as they are, and stay current:
// the others are numbered before them.
//
// $runs         one map of properties a run
// $critics      one a critic
// $acceptances  one an acceptance
// $students     one a student
// $surplus      what is taken from the numbers of the others
FOREACH (row IN $runs | MERGE (n:Run {id: row.id}) ON CREATE SET n = row, n.order = row.order - $surplus)
FOREACH (row IN $critics | MERGE (n:Critic {id: row.id}) ON CREATE SET n = row, n.order = row.order - $surplus)
FOREACH (row IN $acceptances | MERGE (n:Acceptance {id: row.id}) ON CREATE SET n = row, n.order = row.order - $surplus)
FOREACH (row IN $students | MERGE (n:Student {id: row.id}) ON CREATE SET n = row, n.order = row.order - $surplus)

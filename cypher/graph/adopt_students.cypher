// Students that an older version trained, of which only the runs know.
MATCH (n:Run {kind: "train-student"})
WHERE n.student IS NOT NULL
  AND NOT n.status IN ["undoing", "undone"]
MERGE (s:Student {id: n.student})
ON CREATE SET s.run = n.id, s.kind = n.model, s.at = n.started, s.triples = n.offered

// Whether an older version, which did not number what is current, has made anything here.
//
// -> older
RETURN EXISTS { MATCH (n:Critic|Acceptance|Student) WHERE n.order IS NULL }
  OR EXISTS {
    MATCH (n:Run {kind: "train-student"})
    WHERE n.student IS NOT NULL
      AND NOT n.status IN ["undoing", "undone"]
      AND NOT EXISTS { MATCH (s:Student) WHERE s.id = n.student }
  } AS older

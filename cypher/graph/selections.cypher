// What the current critic, thresholds and student follow from: these, and the runs that score with one or choose one.
//
// -> label, id, of, order, current, at
MATCH (n:Critic|Acceptance|Student)
RETURN labels(n)[0] AS label, n.id AS id, n.critic AS of, n.order AS order, coalesce(n.current, false) AS current, n.at AS at
UNION ALL
MATCH (n:Run)
WHERE n.kind IN ["score", "use-critic", "use-student"]
  AND NOT n.status IN ["undoing", "undone"]
RETURN n.kind AS label, n.id AS id, n.model AS of, n.order AS order, false AS current, n.started AS at

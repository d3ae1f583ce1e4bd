// A run that begins, or begins again after it was undone. A finished one stays as it is, and so does one that is being
// undone.
//
// $id          its key, which follows from what it does
// $properties  kind, model, dataset, licence, parameters, version
// $process     host, pid and process_started of the process that works on it
// $keep        whether how far it has come is kept: it was interrupted, or the process that asks has begun it before
// $at          now
// -> status, added, reached, doing
MERGE (n:Run {id: $id})
ON CREATE SET n.status = "new"
WITH n, n.status IN ["new", "undone"] AS fresh
SET n += CASE WHEN fresh THEN $properties ELSE {} END
SET n += CASE WHEN fresh THEN {started: $at, added: 0, offered: 0} ELSE {} END
SET n += $process
SET n.reached = CASE WHEN $keep AND NOT fresh THEN n.reached ELSE null END
SET n.status = CASE WHEN n.status IN ["finished", "undoing"] THEN n.status ELSE "running" END
REMOVE n.undone, n.reason, n.ended
RETURN n.status AS status, n.added AS added, n.reached AS reached, n.doing AS doing

// Runs, the newest first, with what they brought.
//
// -> id, kind, status, model, dataset, started, offered, added
MATCH (n:Run)
RETURN n.id AS id, n.kind AS kind, n.status AS status, n.model AS model, n.dataset AS dataset, n.started AS started,
  n.offered AS offered, n.added AS added
ORDER BY started DESC, id

// Some runs.
//
// $ids  their keys
// -> id, kind, model, dataset, started
MATCH (n:Run)
WHERE n.id IN $ids
RETURN n.id AS id, n.kind AS kind, n.model AS model, n.dataset AS dataset, n.started AS started

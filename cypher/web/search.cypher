// Phrases that match a query of the full-text index, the best first.
//
// $query  in the index's own language, see `kg.web.searching`
// $count  most phrases returned
// -> id, text, is_event, split, inferences, told, match
CALL db.index.fulltext.queryNodes("phrase_words", $query, {limit: $count}) YIELD node, score
RETURN node.id AS id, node.text AS text, node:Event AS is_event, node.split AS split, COUNT { (node)-->() } AS inferences,
  COUNT { (node)<--() } - COUNT { (node)<-[:HEAD]-() } - COUNT { (node)<-[:TAIL]-() } AS told, score AS match
ORDER BY match DESC, is_event DESC, text, id

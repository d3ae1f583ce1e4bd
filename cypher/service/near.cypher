// Phrases whose vectors are nearest to one, the nearest first.
//
// $vector  the vector, of any length but zero
// $count   most phrases returned
// -> id, text, lang, uri, score
CALL db.index.vector.queryNodes("phrase_vector", $count, $vector) YIELD node, score
RETURN node.id AS id, node.text AS text, node.lang AS lang, coalesce(node.uri, "") AS uri, score
ORDER BY score DESC, id

// Phrases whose vectors are nearest to one, the nearest first, with their cosines as from 0 (opposite) to 1.
//
// $vector  the vector, of any length but zero
// $count   most phrases returned
// -> id, text, lang, uri, score
CALL db.index.vector.queryNodes("phrase_vector", $count, $vector) YIELD node
RETURN node.id AS id, node.text AS text, node.lang AS lang, coalesce(node.uri, "") AS uri,
  vector.similarity.cosine(node.vector, $vector) AS score
ORDER BY score DESC, id

// Phrases of a language that match a query of the full-text index.
//
// $query  in the index's own language, see `kg.web.searching`
// $lang   the language
// $count  most phrases returned
// -> id, text
CALL db.index.fulltext.queryNodes("phrase_words", $query, {limit: $count}) YIELD node
WHERE node.lang = $lang
RETURN node.id AS id, node.text AS text

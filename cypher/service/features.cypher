// The edges around some phrases by feature: the relation, and whether the edges leave the phrases or reach them.
//
// $ids        keys of the phrases
// $symmetric  relations of which the direction says nothing
// $count      most edges returned of a feature, one of which is there to tell that there are more
// -> relation, leaving, total, edges
MATCH (n:Phrase)
WHERE n.id IN $ids
CALL (n) {
  MATCH (n)-[r]->(o:Phrase)
  RETURN r, n AS head, o AS tail, true AS leaves
  UNION
  MATCH (n)<-[r]-(o:Phrase)
  RETURN r, o AS head, n AS tail, false AS leaves
}
WITH r, head, tail, type(r) AS relation, CASE WHEN type(r) IN $symmetric THEN null ELSE leaves END AS leaving
WITH DISTINCT r, head, tail, relation, leaving
ORDER BY coalesce(r.weight, 1.0) DESC, coalesce(r.score, -1.0) DESC, head.id, tail.id
WITH relation, leaving, collect([r, head, tail]) AS found
WITH relation, leaving, size(found) AS total, [one IN found[..$count] | {
  head: one[1].text, head_lang: one[1].lang, head_uri: coalesce(one[1].uri, ""), relation: relation,
  tail: one[2].text, tail_lang: one[2].lang, tail_uri: coalesce(one[2].uri, ""), weight: one[0].weight,
  sources: coalesce(one[0].sources, []), details: one[0].details, runs: one[0].runs, score: one[0].score,
  critic: one[0].critic, accepted: one[0].accepted, predicted: one[0].predicted, published: one[0].published
}] AS edges
RETURN relation, leaving, total, edges
ORDER BY total DESC, relation, leaving

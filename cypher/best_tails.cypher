// The triples of each relation that the critic trusts most.
//
// $count  how many of each relation (default 5)
// -> relation, head, tail, score, predicted
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE r.score IS NOT NULL
WITH head, r, tail
ORDER BY r.score DESC, head.text, tail.text
WITH type(r) AS relation, collect({head: head.text, tail: tail.text, score: r.score, predicted: r.predicted}) AS found
UNWIND found[0..$count] AS best
RETURN relation, best.head AS head, best.tail AS tail, round(best.score, 3) AS score, best.predicted AS predicted
ORDER BY relation, score DESC, head, tail

// A teacher's triples that nobody has judged yet, drawn at random, to be judged for kg critic train.
//
// $split  train, validation or test (default "train")
// $half   half of the events: 0 is the filter's, 1 the judge's, null both (default null)
// $lang   language of the events, or null for all (default null)
// -> head, relation, tail
MATCH (head:Event {split: $split})-[r]->(tail:Phrase)
WHERE NOT r.predicted
  AND ($lang IS NULL OR head.lang = $lang)
  AND ($half IS NULL OR ($half = 1) = (substring(head.id, 15, 1) IN ["1", "3", "5", "7", "9", "b", "d", "f"]))
  AND NOT EXISTS {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = type(r)
  }
RETURN head.text AS head, type(r) AS relation, tail.text AS tail
ORDER BY rand()

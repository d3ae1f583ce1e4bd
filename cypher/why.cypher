// Who claimed a triple, how sure the critic is, and why it was accepted: the threshold is that of who claimed it.
//
// $event     text of the event
// $relation  a relation, or null for all (default null)
// $tail      text of the tail, or null for all (default null)
// -> relation, tail, claimed_by, model, dataset, score, critic, threshold, accepted, judged
MATCH (head:Event {text: $event})-[r]->(tail:Phrase)
WHERE ($relation IS NULL OR type(r) = $relation)
  AND ($tail IS NULL OR tail.text = $tail)
UNWIND r.runs AS id
MATCH (run:Run {id: id})
OPTIONAL MATCH (critic:Critic {id: r.critic})
OPTIONAL MATCH (rule:Acceptance {critic: r.critic, current: true})
WITH head, r, tail, run, critic, rule, size(coalesce(rule.relations, [])) AS relations,
  [i IN range(0, size(coalesce(rule.relations, [])) - 1) WHERE rule.relations[i] = type(r)][0] AS place,
  [i IN range(0, size(coalesce(rule.teachers, [])) - 1) WHERE rule.teachers[i] = run.model AND run.kind <> "predict"][0]
    AS teacher
RETURN type(r) AS relation, tail.text AS tail, run.id AS claimed_by, run.model AS model, run.dataset AS dataset,
  round(r.score, 3) AS score, critic.id AS critic,
  round(coalesce(rule.teacher_cutoffs[teacher * relations + place], rule.cutoffs[place]), 3) AS threshold,
  r.accepted AS accepted,
  COLLECT {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = type(r)
    RETURN j.value
  } AS judged
ORDER BY relation, coalesce(score, -1.0) DESC, tail, claimed_by

// Where teacher and student differ most: events and relations by the gap between their mean scores.
//
// -> event, relation, teacher_score, student_score, teacher_says, student_says
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE r.score IS NOT NULL
WITH head, r, tail
ORDER BY r.score DESC, tail.text
WITH head.text AS event, type(r) AS relation,
  avg(CASE WHEN NOT r.predicted THEN r.score END) AS teacher, avg(CASE WHEN r.predicted THEN r.score END) AS student,
  collect(CASE WHEN NOT r.predicted THEN tail.text END) AS taught, collect(CASE WHEN r.predicted THEN tail.text END) AS told
WHERE teacher IS NOT NULL
  AND student IS NOT NULL
RETURN event, relation, round(teacher, 3) AS teacher_score, round(student, 3) AS student_score,
  taught[0] AS teacher_says, told[0] AS student_says
ORDER BY abs(teacher - student) DESC, event, relation

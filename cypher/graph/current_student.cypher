// The current student.
//
// -> student
MATCH (n:Student {current: true})
RETURN properties(n) AS student

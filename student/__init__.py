"""The student: a small model that learns the triples of the teacher.

Two kinds behind one interface (`student.interface.Student`), both trained on the same triples:

* the generator (`student.generator.model`) is a language model that writes new tails,
* the ranker (`student.ranker.model`) ranks the tails already known for a relation.

`student.checkpoint` trains one into a folder and opens it again, `student.evaluation` says how good its tails are.
torch comes in only when a student is trained or loaded.
"""

"""A given graph, and the rows of each shipped query on it, worked out by hand."""

from dataclasses import astuple
from typing import Any

import pytest

from kg.graph.knowledge import KnowledgeGraph
from kg.identity import half_of, head_id, phrase_id, tail_id
from kg.model import Acceptance, Assertion, Judgement, Triple
from kg.run import Run
from kg.store import adhoc, queries

NAP, FIRE, HIRE, COOK = "PersonX naps", "PersonX fires PersonY", "to hire someone else", "PersonX cooks soup"
SPLITS = {NAP: "train", FIRE: "train", HIRE: "validation", COOK: "test"}
TEACHER = Run("load", model="teacher", dataset="corpus")
STUDENT = Run("predict", model="student-1", parameters={"split": "test", "count": 5})
PEOPLE = Run("judgements", dataset="people")
SCORED = Run("score", model="critic-1")

TAUGHT = {
    Triple(FIRE, "xReact", "guilty"): 0.9, Triple(FIRE, "xWant", HIRE): 0.7, Triple(HIRE, "xNeed", "to read"): 0.4,
    Triple(NAP, "xWant", "to rest"): 0.8, Triple(NAP, "xReact", "rested"): 1.0, Triple(COOK, "xWant", "to rest"): 0.6,
    Triple(COOK, "xReact", "to rest"): 0.85,
}  # fmt: skip
PREDICTED = {
    Triple(COOK, "xWant", "to eat"): 0.75, Triple(NAP, "xWant", "to eat"): 0.2, Triple(HIRE, "xWant", "to eat"): 0.31,
    Triple(FIRE, "xWant", "to eat"): 0.72,
}  # fmt: skip
NEVER_SCORED = [Triple(FIRE, "xEffect", "none"), Triple(FIRE, "xWant", "to cry")]
SHARED = [Triple(COOK, "xWant", "to rest"), Triple(NAP, "xReact", "rested")]  # by both, and so not predicted
VERDICTS = [
    Judgement(Triple(FIRE, "xReact", "guilty"), "ann", 2), Judgement(Triple(FIRE, "xReact", "guilty"), "bob", -1),
    Judgement(Triple(NAP, "xWant", "to eat"), "ann", -1), Judgement(Triple(COOK, "xReact", "to rest"), "ann", 1),
]  # fmt: skip
THRESHOLDS = Acceptance("acceptance-1", "critic-1", 0.8, {"0.8": {"overall": 0.5, "xWant": 0.7}})
UNJUDGED = [[NAP, "xWant", "to rest"], [NAP, "xReact", "rested"], [FIRE, "xWant", HIRE], [FIRE, "xWant", "to cry"]]
RUNS = [TEACHER.id, STUDENT.id]
CLAIMED = [TEACHER.id, "teacher", "corpus"]


def in_order(triple: Triple) -> tuple[str, str, str]:
    return head_id(triple), triple.relation, tail_id(triple)


ACCEPTED_OF_TRAINING = [
    [triple.head, triple.relation, triple.tail, "en", "", "", "", RUNS[: 1 + (triple in SHARED)]]
    for triple in sorted(TAUGHT, key=in_order)
    if triple.head in (FIRE, NAP)
]

Asked = list[tuple[dict[str, Any], list[list[Any]]]]

ANSWERS: dict[str, Asked] = {
    "acceptance": [({}, [
        ["xNeed", 1, 0, 0, 0, 0.4],
        ["xReact", 3, 3, 0, 0, 0.917],
        ["xWant", 3, 2, 4, 2, 0.583],
    ])],
    "aspects": [
        ({"split": "test"}, [
            [COOK, "xReact", "to rest", 0.85, None],
            [COOK, "xWant", "to eat", 0.75, None],
            [COOK, "xWant", "to rest", 0.6, None],
        ]),
        ({}, [
            [triple.head, triple.relation, triple.tail, score, None]
            for triple, score in sorted((TAUGHT | PREDICTED).items(), key=lambda row: astuple(row[0])[:3])
        ]),
    ],
    "best_tails": [({"count": 2}, [
        ["xNeed", HIRE, "to read", 0.4, False],
        ["xReact", NAP, "rested", 1.0, False],
        ["xReact", FIRE, "guilty", 0.9, False],
        ["xWant", NAP, "to rest", 0.8, False],
        ["xWant", COOK, "to eat", 0.75, True],
    ])],
    "chains": [
        ({}, [[FIRE, "xWant", HIRE, "xNeed", "to read"], [FIRE, "xWant", HIRE, "xWant", "to eat"]]),
        ({"min_score": 0.4}, [[FIRE, "xWant", HIRE, "xNeed", "to read"]]),
        ({"min_score": 0.5}, []),
    ],
    "critic_errors": [({}, [
        [FIRE, "xReact", "guilty", -1, 0.9, "bob"],
        [NAP, "xWant", "to eat", -1, 0.2, "ann"],
        [COOK, "xReact", "to rest", 1, 0.85, "ann"],
        [FIRE, "xReact", "guilty", 2, 0.9, "ann"],
    ])],
    "disagreement": [({}, [
        [NAP, "xWant", 0.8, 0.2, "to rest", "to eat"],
        [COOK, "xWant", 0.6, 0.75, "to rest", "to eat"],
        [FIRE, "xWant", 0.7, 0.72, HIRE, "to eat"],
    ])],
    "gaps": [
        ({}, []),
        ({"accepted": True}, [[HIRE, "validation", 2]]),
        ({"relation": "xReact"}, [[HIRE, "validation", 2]]),
        ({"relation": "xEffect"}, [[COOK, "test", 3], [NAP, "train", 3], [HIRE, "validation", 2]]),
    ],
    "hubs": [({}, [
        ["to eat", 4, ["xWant"], 0.495],
        ["to rest", 2, ["xReact", "xWant"], 0.75],
        ["guilty", 1, ["xReact"], 0.9],
        ["rested", 1, ["xReact"], 1.0],
        ["to cry", 1, ["xWant"], None],
        [HIRE, 1, ["xWant"], 0.7],
        ["to read", 1, ["xNeed"], 0.4],
    ])],
    "models": [({}, [
        ["xEffect", "teacher", "corpus", 1, 0, None],
        ["xNeed", "teacher", "corpus", 1, 0, 0.4],
        ["xReact", "teacher", "corpus", 3, 3, 0.917],
        ["xReact", "student-1", None, 1, 1, 1.0],
        ["xWant", "student-1", None, 5, 2, 0.516],
        ["xWant", "teacher", "corpus", 4, 2, 0.7],
    ])],
    "neighbourhood": [
        ({"event": "PersonX fi"}, [
            [FIRE, "xEffect", "none", None, None, False],
            [FIRE, "xReact", "guilty", 0.9, True, False],
            [FIRE, "xWant", "to eat", 0.72, True, True],
            [FIRE, "xWant", HIRE, 0.7, True, False],
            [FIRE, "xWant", "to cry", None, None, False],
        ]),
        ({"event": "PersonX c"}, [
            [COOK, "xReact", "to rest", 0.85, True, False],
            [COOK, "xWant", "to eat", 0.75, True, True],
            [COOK, "xWant", "to rest", 0.6, False, False],
        ]),
        ({"event": "naps"}, []),
    ],
    "review": [
        ({}, [[COOK, "xWant", "to eat", 0.75, 0.7, True]]),
        ({"split": None}, [
            [FIRE, "xWant", "to eat", 0.72, 0.7, True],
            [COOK, "xWant", "to eat", 0.75, 0.7, True],
            [HIRE, "xWant", "to eat", 0.31, 0.7, False],
        ]),
    ],
    "runs": [({}, [
        [SCORED.id, "score", "running", "critic-1", None, "2026-01-04", 0, 0],
        [PEOPLE.id, "judgements", "running", None, "people", "2026-01-03", 0, 4],
        [STUDENT.id, "predict", "finished", "student-1", None, "2026-01-02", 6, 4],
        [TEACHER.id, "load", "finished", "teacher", "corpus", "2026-01-01", 9, 9],
    ])],
    "score_histogram": [
        ({}, [
            [0.2, 0.3, 0, 1, 0],
            [0.3, 0.4, 0, 1, 0],
            [0.4, 0.5, 1, 0, 0],
            [0.6, 0.7, 1, 0, 0],
            [0.7, 0.8, 1, 2, 3],
            [0.8, 0.9, 2, 0, 2],
            [0.9, 1.0, 2, 0, 2],
        ]),
        ({"relation": "xReact"}, [[0.8, 0.9, 1, 0, 1], [0.9, 1.0, 2, 0, 2]]),
    ],
    "rounds": [
        ({}, [[*row[:7], [TEACHER.id]] for row in ACCEPTED_OF_TRAINING]),
        ({"rounds": [STUDENT.id]}, [
            [triple.head, triple.relation, triple.tail, "en", "", "", "", runs]
            for triple, runs in sorted(
                [
                    *((Triple(*row[:3]), [TEACHER.id]) for row in ACCEPTED_OF_TRAINING),
                    (Triple(FIRE, "xWant", "to eat"), RUNS[1:]),
                ],
                key=lambda one: in_order(one[0]),
            )
        ]),
    ],
    "search": [
        ({"text": "PersonX"}, [[COOK, "test", 3], [FIRE, "train", 5], [NAP, "train", 3]]),
        ({"text": "someone"}, [[HIRE, "validation", 2]]),
        ({"text": "to rest"}, []),
    ],
    "to_judge": [  # in any order
        ({}, [[COOK, "xWant", "to eat"], [COOK, "xWant", "to rest"]]),
        ({"student": "student-1"}, [[COOK, "xWant", "to eat"], [COOK, "xWant", "to rest"]]),
        ({"student": "student-2"}, []),
        ({"lang": "en"}, [[COOK, "xWant", "to eat"], [COOK, "xWant", "to rest"]]),
        ({"lang": "ja"}, []),
        ({"split": "train"}, []),  # it has inferred nothing about that
    ],
    "training": [({}, ACCEPTED_OF_TRAINING)],
    "training_nothing": [
        ({}, sorted(
            [*ACCEPTED_OF_TRAINING, [FIRE, "xEffect", "none", "en", "", "", "", [TEACHER.id]]],
            key=lambda row: in_order(Triple(*row[:3])),
        )),
    ],
    "unjudged": [  # in any order
        ({}, UNJUDGED),
        ({"lang": "en"}, UNJUDGED),
        ({"lang": "ja"}, []),
        *(({"half": half}, [row for row in UNJUDGED if half_of(phrase_id(row[0])) == half]) for half in (0, 1)),
        ({"split": "validation"}, [[HIRE, "xNeed", "to read"]]),
    ],
    "why": [
        ({"event": FIRE}, [
            ["xReact", "guilty", *CLAIMED, 0.9, "critic-1", 0.5, True, [-1, 2]],
            ["xWant", "to eat", STUDENT.id, "student-1", None, 0.72, "critic-1", 0.7, True, []],
            ["xWant", HIRE, *CLAIMED, 0.7, "critic-1", 0.7, True, []],
            ["xWant", "to cry", *CLAIMED, None, None, None, None, []],
        ]),
        ({"event": FIRE, "relation": "xReact"}, [
            ["xReact", "guilty", *CLAIMED, 0.9, "critic-1", 0.5, True, [-1, 2]],
        ]),
        ({"event": COOK, "tail": "to rest"}, [
            ["xReact", "to rest", *CLAIMED, 0.85, "critic-1", 0.5, True, [1]],
            ["xWant", "to rest", *CLAIMED, 0.6, "critic-1", 0.7, False, []],
            ["xWant", "to rest", STUDENT.id, "student-1", None, 0.6, "critic-1", 0.7, False, []],
        ]),
    ],
}  # fmt: skip
IN_ANY_ORDER = {"to_judge", "unjudged"}


@pytest.fixture
def given(graph: KnowledgeGraph) -> KnowledgeGraph:
    claims = [Assertion(triple, split=SPLITS[triple.head]) for triple in TAUGHT]
    scores = TAUGHT | PREDICTED
    for run in (TEACHER, STUDENT, PEOPLE):
        graph.begin(run)
    graph.add(claims, TEACHER)
    graph.add([Assertion(triple) for triple in (*PREDICTED, *SHARED)], STUDENT)
    graph.record_judgements(VERDICTS, PEOPLE)
    graph.record_critic("critic-1")
    graph.record_acceptance(THRESHOLDS)
    graph.record_scores("critic-1", lambda triples: [scores[triple] for triple in triples], THRESHOLDS)
    graph.add([Assertion(triple) for triple in NEVER_SCORED], TEACHER)
    graph.finish(TEACHER, offered=9)
    graph.finish(STUDENT, offered=6)
    days = {TEACHER.id: "2026-01-01", STUDENT.id: "2026-01-02", PEOPLE.id: "2026-01-03", SCORED.id: "2026-01-04"}
    graph.store.run("MATCH (run:Run) SET run.started = $days[run.id]", days=days)
    return graph


def test_each_shipped_query_has_its_rows_here() -> None:
    assert set(ANSWERS) == set(queries.named())


def test_each_shipped_query_returns_just_its_rows(given: KnowledgeGraph) -> None:
    for name, asked in ANSWERS.items():
        query = queries.load(name)
        for parameters, expected in asked:
            answer = adhoc.run(given.store, query.text, query.defaults | parameters, limit_rows=100, timeout_seconds=20)
            rows = [[sorted(value) if isinstance(value, list) else value for value in row] for row in answer.rows]
            if name in IN_ANY_ORDER:
                rows, expected = sorted(rows), sorted(expected)  # noqa: PLW2901
            assert rows == expected, (name, parameters)

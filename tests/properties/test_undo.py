"""Undo, over any sequence of runs: the graph is what the recorded writes of the runs that are left make of it.

The oracle is `Fold`, which knows nothing of the database: it holds what each run wrote, in the order of the runs, and
folds the writes of those that are not undone into what the graph should hold.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kg.errors import NotReady
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Drawn, judge_run
from kg.identity import head_id, phrase_id, split_of, tail_id, task_key
from kg.model import Acceptance, Assertion, Judgement, Phrase, Split, Triple
from kg.run import Run
from kg.snapshot.hashing import hash_graph
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from tests.conftest import empty
from tests.repeats import often

TRIPLES = [
    Triple("PersonX naps", "xWant", "to rest"),
    Triple("PersonX naps", "xNeed", "to rest"),
    Triple("to rest", "xWant", "a bed"),
    Triple("PersonX naps", "xWant", "none"),
]
PHRASES = [triple for triple in TRIPLES if not triple.says_nothing]
CRITICS = ("critic-1", "critic-2")
STATED = ("logprob", "weight", "sources", "details", "published")
THRESHOLDS = {0.5: {"overall": 0.3}, 0.8: {"overall": 0.6, "xNeed": 0.2}}
OWN = {0.5: {"*": 0.7, "xWant": 0.1}, 0.8: {"*": 0.1}}
"""Thresholds of the teacher that the first load, and for mischief the first prediction, names as its model."""


def score(critic: str, triple: Triple) -> float:
    return zlib.crc32(repr((critic, triple)).encode()) % 100 / 100


assertions = st.lists(
    st.builds(
        Assertion,
        st.sampled_from(TRIPLES),
        split=st.sampled_from([None, None, "train", "validation", "test"]),
        logprob=st.sampled_from([None, -0.5, -2.0]),
        weight=st.sampled_from([None, 1.0, float("inf")]),
        sources=st.sampled_from([(), ("a",), ("b", "c")]),
        details=st.sampled_from([None, '{"x": 1}']),
        score=st.sampled_from([None, 0.25]),
    ),
    min_size=1,
    max_size=4,
)
judgements = st.lists(
    st.builds(Judgement, st.sampled_from(PHRASES[:2]), st.just("ann"), st.sampled_from([2, 1, -1])),
    min_size=1,
    max_size=2,
)
names = st.integers(0, 1)
critics = st.sampled_from(CRITICS)
nothing = st.none()
LOAD = st.tuples(st.just("load"), names, assertions)
CRITIC = [
    st.tuples(st.just("train-critic"), critics, nothing),
    st.tuples(st.just("calibrate"), critics, st.sampled_from(list(THRESHOLDS))),
    st.tuples(st.just("score"), critics, nothing),
    st.tuples(st.just("use-critic"), critics, nothing),
]
JUDGE = st.tuples(st.just("judgements"), names, judgements)
DEDUPE = st.tuples(st.just("dedupe"), names, st.sets(st.sampled_from(PHRASES), min_size=1, max_size=2))
ANNOTATORS = ("ann", "bob")
SAMPLE = st.tuples(st.just("sample"), names, st.lists(st.sampled_from(PHRASES), min_size=1, max_size=3, unique=True))
TURN = st.tuples(
    st.just("turn"),
    names,
    st.tuples(st.sampled_from(ANNOTATORS), st.integers(0, 2), st.sampled_from([2, 1, -1, "skip", "back"])),
)
UNDO = st.tuples(st.just("undo"), st.integers(0, 20), nothing)
BUNDLES = {
    "loads": [LOAD, LOAD, st.tuples(st.just("predict"), names, assertions), UNDO],
    "events": [LOAD, st.tuples(st.just("events"), names, st.sampled_from([None, -1.0, -3.0])), UNDO],
    "judgements": [JUDGE, JUDGE, UNDO],
    "tasks": [LOAD, SAMPLE, SAMPLE, TURN, TURN, TURN, JUDGE, UNDO, DEDUPE],
    "critics": [LOAD, *CRITIC, CRITIC[2], UNDO],
    "teachers": [LOAD, LOAD, st.tuples(st.just("predict"), names, assertions), *CRITIC[1:3], DEDUPE, UNDO],
    "students": [st.tuples(st.just(kind), names, nothing) for kind in ("train-student", "use-student")] + [UNDO],
    "duplicates": [LOAD, LOAD, DEDUPE, UNDO, CRITIC[2]],
    "all": [LOAD, *CRITIC, JUDGE, SAMPLE, TURN, DEDUPE, UNDO],
}
READY = [("train-critic", "critic-1", None), ("calibrate", "critic-1", 0.5)]
"""What the bundles with critics begin with, so that something can be scored."""
DRAWN = [("load", 0, [Assertion(triple) for triple in PHRASES]), ("sample", 0, PHRASES)]
"""What the bundle with tasks begins with, so that something can be judged."""


@dataclass
class Written:
    """What one run has written, and when it last decided on something (`turn`)."""

    run: Run
    turn: int
    edges: dict[Triple, dict[str, Any]] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    events: dict[str, float | None] = field(default_factory=dict)
    verdicts: dict[tuple[Triple, str], int] = field(default_factory=dict)
    scores: dict[Triple, float] = field(default_factory=dict)
    aside: set[Triple] = field(default_factory=set)
    drawn: list[Triple] = field(default_factory=list)
    skipped: set[Triple] = field(default_factory=set)
    first: dict[Any, int] = field(default_factory=dict)  # when it first wrote a thing: the order among runs


class Fold:
    """What the graph should hold."""

    def __init__(self) -> None:
        self.runs: dict[str, Written] = {}
        self.turns = 0

    def written(self, run: Run) -> Written:
        self.turns += 1
        found = self.runs.setdefault(run.id, Written(run, self.turns))
        found.turn = self.turns
        return found

    def standing(self, kind: str) -> list[Written]:
        found = [one for one in self.runs.values() if one.run.kind == kind]
        return sorted(found, key=lambda one: one.turn)

    def judges(self, batch: Written) -> list[Written]:
        return [one for one in self.standing("judge") if one.run.dataset == batch.run.id]

    def about(self, thing: Any) -> list[Written]:
        """Runs that wrote a thing, the first one first."""
        return sorted((one for one in self.runs.values() if thing in one.first), key=lambda one: one.first[thing])

    def holders(self, triple: Triple) -> list[Written]:
        return self.about(triple)

    def is_aside(self, triple: Triple) -> bool:
        return any(triple in one.aside for one in self.runs.values()) and bool(self.holders(triple))

    def shown(self, triple: Triple) -> tuple[float | None, str | None, bool | None]:
        deciders = [*self.standing("score"), *self.standing("use-critic")]
        for one in sorted(deciders, key=lambda one: -one.turn):
            critic = one.run.model or ""
            for scorer in self.standing("score"):
                if scorer.run.model == critic and triple in scorer.scores:
                    value = scorer.scores[triple]
                    return value, critic, self.accepts(critic, triple, value)
        return None, None, None

    def accepts(self, critic: str, triple: Triple, value: float) -> bool | None:
        rules = [one for one in self.standing("calibrate") if one.run.model == critic]
        if not rules:
            return None
        recall = rules[-1].run.parameters["recall"]
        overall, own = THRESHOLDS[recall], OWN[recall]
        limits = {
            "teacher-0": own.get(triple.relation, own["*"]), None: overall.get(triple.relation, overall["overall"]),
        }  # fmt: skip
        wrote = [one.run.model for one in self.holders(triple) if one.run.kind != "predict"]
        return any(value >= limits.get(model, limits[None]) for model in wrote or [None])

    def edge(self, triple: Triple) -> dict[str, Any]:
        holders = self.holders(triple)
        values: dict[str, Any] = dict.fromkeys(STATED)
        for one in reversed(holders):
            values |= {name: value for name, value in one.edges[triple].items() if value not in (None, ())}
        number, critic, accepted = self.shown(triple)
        return values | {
            "runs": [one.run.id for one in holders],
            "predicted": all(one.run.kind == "predict" for one in holders),
            "score": number, "critic": critic, "accepted": accepted, "sources": values["sources"] or (),
        }  # fmt: skip

    def picture(self) -> dict[str, Any]:
        triples = [triple for triple in TRIPLES if self.holders(triple)]
        edges = {triple: self.edge(triple) for triple in triples if not self.is_aside(triple)}
        heads = {triple.head for triple in edges} | {text for one in self.runs.values() for text in one.events}
        splits = {}
        for text in heads:
            published = self.about(("split", text))
            splits[text] = published[0].splits[text] if published else split_of(phrase_id(text))
        logprobs = {}
        for text in heads:
            given = [one.events[text] for one in self.about(("event", text))]
            logprobs[text] = next((value for value in given if value is not None), None)
        judged = {
            (triple, annotator): self.about(("verdict", triple, annotator))[-1].verdicts[triple, annotator]
            for triple in PHRASES
            for annotator in ANNOTATORS
            if self.about(("verdict", triple, annotator))
        }
        making = [*self.standing("train-critic"), *self.standing("use-critic")]
        known = {one.run.model for one in self.standing("train-critic")}
        making = sorted((one for one in making if one.run.model in known), key=lambda one: one.turn)
        teaching = [*self.standing("train-student"), *self.standing("use-student")]
        taught = {one.run.model for one in self.standing("train-student")}
        teaching = sorted((one for one in teaching if one.run.model in taught), key=lambda one: one.turn)
        asked = {
            (one.run.id, triple): (
                {judge.run.id for judge in self.judges(one) if triple in {judged for judged, _ in judge.verdicts}},
                {judge.run.id for judge in self.judges(one) if triple in judge.skipped},
            )
            for one in self.standing("sample")
            for triple in one.drawn
        }
        return {
            "edges": edges, "splits": splits, "logprobs": logprobs, "judged": judged,
            "aside": {triple for triple in triples if self.is_aside(triple)},
            "critic": making[-1].run.model if making else None,
            "student": teaching[-1].run.model if teaching else None,
            "tasks": asked,
            "acceptances": {critic: rules[-1].run.parameters["recall"] for critic in CRITICS
                            if (rules := [one for one in self.standing("calibrate") if one.run.model == critic])},
        }  # fmt: skip


def picture(graph: KnowledgeGraph) -> dict[str, Any]:
    """What the graph holds, in the words of `Fold.picture`."""
    names = (*STATED, "runs", "predicted", "score", "critic", "accepted")
    found = {
        edge.triple: {name: list(edge.runs) if name == "runs" else getattr(edge, name) for name in names}
        for edge in graph.edges()
    }
    events = [phrase for phrase in graph.phrases(every=True) if "Event" in phrase.labels]
    texts = {phrase.id: phrase.text for phrase in graph.phrases(every=True)}
    described = graph.descriptions()
    return {
        "edges": found,
        "splits": {phrase.text: phrase.split for phrase in events},
        "logprobs": {phrase.text: phrase.logprob for phrase in events},
        "judged": {(one.triple, one.annotator): one.value for one in graph.judgements()},
        "aside": {
            Triple(texts[row["head"]], row["properties"]["relation"], texts[row["tail"]])
            for row in graph.duplicate_rows()
        },
        "critic": next((row["id"] for row in graph.critics() if row["current"]), None),
        "student": next((row["id"] for row in graph.students() if row["current"]), None),
        "tasks": {
            (row["run"], Triple(texts[row["head"]], row["relation"], texts[row["tail"]])): (
                set(row["judged"]),
                set(row["skipped"]),
            )
            for row in graph.task_rows()
        },
        "acceptances": {row["critic"]: row["recall"] for row in described["acceptances"] if row["current"]},
    }


class World:
    """A graph and its fold, to which the same happens."""

    def __init__(self, store: Store) -> None:
        empty(store)
        self.graph = KnowledgeGraph(store)
        self.graph.add_vocabulary(Vocabulary.load("skd"))
        self.fold = Fold()

    def do(self, action: str, name: Any, content: Any) -> None:
        if action == "undo":
            if self.fold.runs:
                self.undo(list(self.fold.runs)[name % len(self.fold.runs)])
                self.check()
            return
        if action == "turn":
            self.turn(name, content)
            return
        run = self.run(action, name, content)
        act: Callable[..., bool] = getattr(self, action.replace("-", "_"))
        act(run, content)

    @staticmethod
    def run(action: str, name: Any, content: Any) -> Run:
        if action in ("train-critic", "score", "use-critic"):
            return Run(action, model=name)
        if action == "calibrate":
            return Run(action, model=name, parameters={"recall": content})
        if action == "sample":
            return Run(action, dataset=str(name))
        if action in ("train-student", "use-student"):
            return Run(action, model=f"student-{name}")
        return Run(action, model=f"teacher-{name}", dataset=str(name))

    def load(self, run: Run, content: Sequence[Assertion]) -> None:
        self.graph.begin(run)
        self.graph.add(content, run)
        written = self.fold.written(run)
        for one in content:
            head, own = one.triple.head, written.edges.setdefault(one.triple, {})
            written.first.setdefault(one.triple, self.fold.turns)
            if one.split and head not in written.splits:
                written.splits[head] = one.split
                written.first[("split", head)] = self.fold.turns
            said = {"logprob": one.logprob, "weight": one.weight, "details": one.details, "published": one.score}
            for name, value in said.items():
                if own.get(name) is None:
                    own[name] = value
            own["sources"] = tuple(dict.fromkeys((*own.get("sources", ()), *one.sources)))

    predict = load

    def events(self, run: Run, content: float | None) -> None:
        self.graph.begin(run)
        self.graph.add_events([(Phrase("PersonX naps"), content)], run)
        written = self.fold.written(run)
        written.first.setdefault(("event", "PersonX naps"), self.fold.turns)
        if written.events.get("PersonX naps") is None:
            written.events["PersonX naps"] = content

    def judgements(self, run: Run, content: Sequence[Judgement]) -> None:
        self.graph.begin(run)
        self.graph.record_judgements(content, run)
        written = self.fold.written(run)
        for one in content:
            written.verdicts[one.triple, one.annotator] = one.value
            written.first.setdefault(("verdict", one.triple, one.annotator), self.fold.turns)

    def sample(self, run: Run, content: Sequence[Triple]) -> None:
        here = {phrase.id for phrase in self.graph.phrases(every=True)}
        some = [one for one in content if {head_id(one), tail_id(one)} <= here]
        if not some or run.id in self.fold.runs:
            return
        drawn = [Drawn(head_id(one), one.relation, tail_id(one), 0.5) for one in some]
        assert tasks.put_tasks(self.graph, run, drawn, wanted=2)
        self.fold.written(run).drawn = some

    def turn(self, name: int, content: tuple[str, int, int | str]) -> None:
        """Give a verdict, skip, or take back what was said, of a triple of one of the batches."""
        annotator, place, what = content
        if not (drawn := self.fold.standing("sample")):
            return
        batch, some = drawn[name % len(drawn)].run.id, drawn[name % len(drawn)].drawn
        triple = some[place % len(some)]
        task = task_key(batch, head_id(triple), triple.relation, tail_id(triple))
        run = judge_run(batch, annotator)
        if what == "back":
            known = self.fold.runs.get(run.id)
            had = known is not None and triple in {one for one, _ in known.verdicts} | known.skipped
            assert (tasks.take_back(self.graph, batch, annotator, task) is not None) == had
            if not had:
                return
        elif what == "skip":
            tasks.skip(self.graph, task, annotator)
        else:
            tasks.give_verdict(self.graph, task, annotator, int(what))
        written = self.fold.written(run)
        key = ("verdict", triple, annotator)
        written.skipped -= {triple}
        written.verdicts.pop((triple, annotator), None)
        written.first.pop(key, None)
        if what == "skip":
            written.skipped.add(triple)
        elif what != "back":
            written.verdicts[triple, annotator] = int(what)
            written.first[key] = self.fold.turns  # the last word, whatever the run said before

    def train_critic(self, run: Run, _: None) -> None:
        self.graph.begin(run)
        self.graph.record_critic(run.model or "", run=run.id)
        self.graph.finish(run, critic=run.model)
        self.fold.written(run)

    def calibrate(self, run: Run, recall: float) -> None:
        if Run("train-critic", model=run.model).id not in self.fold.runs:
            return
        self.graph.begin(run)
        self.graph.record_acceptance(self.acceptance(run.model or "", recall), run=run.id)
        self.fold.written(run)

    @staticmethod
    def acceptance(critic: str, recall: float) -> Acceptance:
        own = {"teacher-0": {f"{recall:g}": OWN[recall]}}
        return Acceptance(f"{critic}-{recall}", critic, recall, {f"{recall:g}": THRESHOLDS[recall]}, own)

    def score(self, run: Run, _: None) -> None:
        critic = run.model or ""
        rules = [one for one in self.fold.standing("calibrate") if one.run.model == critic]
        if not rules:
            return
        acceptance = self.acceptance(critic, rules[-1].run.parameters["recall"])
        self.graph.record_scores(critic, lambda triples: [score(critic, triple) for triple in triples], acceptance)
        written = self.fold.written(run)
        for triple in PHRASES:
            if self.fold.holders(triple) and not self.fold.is_aside(triple):
                written.scores[triple] = score(critic, triple)

    def use_critic(self, run: Run, _: None) -> None:
        if Run("train-critic", model=run.model).id in self.fold.runs:
            assert self.graph.use_critic(run.model or "") == run.id
            self.fold.written(run)

    def train_student(self, run: Run, _: None) -> None:
        self.graph.begin(run)
        self.graph.record_student(run.model or "", run=run.id)
        self.graph.finish(run, student=run.model)
        self.fold.written(run)

    def use_student(self, run: Run, _: None) -> None:
        if Run("train-student", model=run.model).id in self.fold.runs:
            assert self.graph.use_student(run.model or "") == run.id
            self.fold.written(run)

    def dedupe(self, run: Run, content: set[Triple]) -> None:
        here = {triple for triple in content if self.fold.holders(triple) and not self.fold.is_aside(triple)}
        if not here:
            return
        self.graph.begin(run)
        assert self.graph.set_aside(sorted(here), run) == len(here)
        self.fold.written(run).aside |= here

    def undo(self, run_id: str) -> None:
        rests = self.rests(self.fold.runs[run_id].run)
        before = picture(self.graph)
        try:
            self.graph.undo(run_id)
        except NotReady as error:
            named = [word.rstrip(",") for word in str(error).split("in this order: ")[1].split() if "-" in word]
            self.check_refusal(named, rests, before)
            for other in named:
                self.undo(other)
                self.check()
            self.undo(run_id)
            return
        assert not rests
        del self.fold.runs[run_id]
        for one in self.fold.runs.values():  # what is left without evidence is gone, with its scores
            one.scores = {triple: value for triple, value in one.scores.items() if self.fold.holders(triple)}
            one.aside = {triple for triple in one.aside if self.fold.holders(triple)}

    def check_refusal(self, named: list[str], rests: set[str], before: dict[str, Any]) -> None:
        assert set(named) == rests
        assert picture(self.graph) == before

    def rests(self, run: Run) -> set[str]:
        others = [one.run for one in self.fold.runs.values() if one.run.model == run.model and one.run.id != run.id]
        if run.kind == "train-critic":
            return {other.id for other in others if other.kind in ("calibrate", "score", "use-critic")}
        if run.kind == "sample":
            every = [one.run for one in self.fold.runs.values()]
            return {other.id for other in every if other.kind == "judge" and other.dataset == run.id}
        if run.kind == "train-student":
            return {other.id for other in others if other.kind == "use-student"}
        if run.kind == "calibrate" and not any(other.kind == "calibrate" for other in others):
            return {other.id for other in others if other.kind == "score"}
        return set()

    def check(self) -> None:
        assert picture(self.graph) == self.fold.picture()


_EXAMPLES = {
    "judgements": often(4, 20),
    "tasks": often(2, 10),
    "students": often(4, 20),
    "critics": often(2, 10),
    "duplicates": often(2, 10),
}
_PHASES = (Phase.reuse, Phase.generate)  # shrinking on a database takes minutes


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_graph_is_what_the_runs_that_are_left_make_of_it(store: Store, bundle: str) -> None:
    @settings(
        max_examples=_EXAMPLES.get(bundle, often(2, 6)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=_PHASES,
    )
    @given(sequence=st.lists(st.one_of(BUNDLES[bundle]), min_size=5, max_size=14), backwards=st.booleans())
    def check(sequence: list[Any], *, backwards: bool) -> None:
        world = World(store)
        empty_hash = hash_graph(world.graph)
        ready = READY if bundle in ("critics", "teachers", "duplicates", "all") else DRAWN if bundle == "tasks" else []
        for action in [*ready, *sequence]:
            world.do(*action)
        world.check()
        for run_id in list(world.fold.runs)[:: -1 if backwards else 1]:
            if run_id in world.fold.runs:
                world.undo(run_id)
                world.check()
        assert hash_graph(world.graph) == empty_hash
        left = "MATCH (n) WHERE NOT n:Run AND NOT n:Relation AND NOT n:Graph RETURN count(n) AS n"
        assert store.read(left) == [{"n": 0}]

    check()


@pytest.mark.parametrize("undone", [2, 3])
def test_a_duplicate_that_two_runs_wrote_is_there_as_long_as_one_of_them(store: Store, undone: int) -> None:
    world = World(store)
    one = [Assertion(TRIPLES[0])]
    for action in (
        *READY, ("load", 0, one), ("load", 1, one), ("dedupe", 0, {TRIPLES[0]}), ("undo", undone, None),
        ("undo", 4, None),
    ):  # fmt: skip
        world.do(*action)
        world.check()


@pytest.mark.parametrize("undone", range(5))
def test_a_task_stands_as_those_who_are_left_have_left_it(store: Store, undone: int) -> None:
    world = World(store)
    said = [("ann", 0, "skip"), ("ann", 1, 2), ("bob", 0, 1), ("bob", 1, -1), ("ann", 2, 1), ("ann", 2, "back")]
    imported = ("judgements", 0, [Judgement(PHRASES[1], "bob", 2)])
    for action in (*DRAWN, *(("turn", 0, one) for one in said), imported, ("turn", 0, ("bob", 1, -1)),
                   ("undo", undone, None), ("undo", 0, None)):  # fmt: skip
        world.do(*action)
        world.check()


def test_undoing_a_choice_of_thresholds_brings_back_what_the_one_before_accepted(store: Store) -> None:
    world = World(store)
    everything = [Assertion(triple) for triple in TRIPLES]
    for action in (
        *READY, ("load", 0, everything), ("score", "critic-1", None), ("calibrate", "critic-1", 0.8), ("undo", 4, None),
    ):  # fmt: skip
        world.do(*action)
        world.check()

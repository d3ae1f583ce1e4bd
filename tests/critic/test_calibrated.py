"""A critic whose scores are mapped to probabilities by verdicts that it did not learn from, and none of test events."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.calibrated import FILE, Calibrated, calibrate, read_calibration
from critic.calibration import Calibration
from critic.checkpoint import load_critic
from critic.interface import ABOUT, FastCritic
from critic.kinds import BLEND, KERNEL, KINDS, LIKELIHOOD, CriticKind
from critic.likelihood.view import Answer
from critic.runs import calibrate_critic, train_critic
from critic.verdicts import Verdicts, split_in, training_verdicts, unseen_verdicts
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, split_of
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.workspace import Workspace

TRIPLES = tuple(Triple(f"PersonX does {n}", "xWant", f"to rest {n}") for n in range(900))


class Timid:
    """A critic that knows the number in a tail, and dares to say half of it."""

    role = "filter"

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return np.array([0.4 + 0.2 * chance(triple) for triple in triples])

    def save(self, folder: Path) -> None:
        (folder / ABOUT).write_text(json.dumps({"kind": BLEND, "role": self.role}))

    @classmethod
    def load(cls, _folder: Path, _about: Mapping[str, Any], _encode: object) -> "Timid":
        return cls()


class TimidFast(Timid):
    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return self.score(triples)


def chance(triple: Triple) -> float:
    return int(triple.tail.split()[-1]) * 37 % 100 / 100


def verdicts() -> Verdicts:
    random = np.random.default_rng(2)
    return Verdicts(TRIPLES, np.array([random.random() < chance(triple) for triple in TRIPLES]))


@pytest.mark.parametrize("kind", [Timid, TimidFast])
def test_a_calibrated_critic_is_saved_and_opened_with_its_calibration(
    kind: type[Timid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, BLEND, CriticKind("dares", "no:one", f"{__name__}:unused"))
    monkeypatch.setattr(CriticKind, "load", lambda *_: kind())
    found = calibrate(kind(), verdicts())
    assert isinstance(found, Calibrated)
    assert isinstance(found, FastCritic) == (kind is TimidFast)
    expected = np.array([chance(triple) for triple in TRIPLES])
    assert np.abs(found.score(TRIPLES) - expected).mean() < 0.05 < np.abs(Timid().score(TRIPLES) - expected).mean()
    found.save(tmp_path)
    opened = load_critic(tmp_path, lambda _: np.zeros((1, 1), dtype=np.float32))
    np.testing.assert_array_equal(opened.score(TRIPLES), found.score(TRIPLES))
    if isinstance(opened, FastCritic):
        np.testing.assert_array_equal(opened.score_fast(TRIPLES), found.score(TRIPLES))
    else:
        assert kind is Timid
    (tmp_path / FILE).unlink()
    assert isinstance(load_critic(tmp_path, lambda _: np.zeros((1, 1), dtype=np.float32)), kind)


def test_a_critic_that_is_right_or_has_no_verdicts_is_left_as_it_is() -> None:
    class Right(Timid):
        def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
            return np.array([chance(triple) for triple in triples])

    right, timid = Right(), Timid()
    assert calibrate(right, verdicts()) is right
    assert calibrate(timid, Verdicts((), np.zeros(0, dtype=np.bool_))) is timid


@pytest.mark.parametrize(
    "bad",
    [
        "{", "[]", '{"method": "platt"}', {"method": "magic"}, {"slope": -1}, {"slope": "NaN"}, {"shift": 1e999},
        {"method": "isotonic"}, {"method": "isotonic", "scores": [0, 1], "probabilities": [1, 0]},
        {"method": "isotonic", "scores": [0, 1], "probabilities": [0, 2]}, {"scores": [0.5]}, {"scores": "ab"},
    ],
)  # fmt: skip
def test_a_calibration_that_is_none_is_refused(bad: str | dict[str, Any], tmp_path: Path) -> None:
    good = Calibration("platt", 2.0, 0.5)._asdict()
    (tmp_path / FILE).write_text(json.dumps(good))
    assert read_calibration(tmp_path) == Calibration("platt", 2.0, 0.5)
    (tmp_path / FILE).write_text(bad if isinstance(bad, str) else json.dumps(good | bad))
    with pytest.raises(InputError, match="calibration"):
        read_calibration(tmp_path)


def test_unseen_verdicts_are_those_that_did_not_teach_and_never_those_on_test_events() -> None:
    judgements = [Judgement(triple, "me", 2) for triple in TRIPLES]
    for role in ("filter", "judge"):
        learnt = set(training_verdicts(judgements, role).triples)
        unseen = set(unseen_verdicts(judgements, role).triples)
        assert not learnt & unseen
        assert learnt | unseen == {triple for triple in TRIPLES if split_of(head_id(triple)) != "test"}
    in_folds = unseen_verdicts(judgements, "filter", in_folds=True)
    assert set(in_folds.triples) == {triple for triple in TRIPLES if split_of(head_id(triple)) != "test"}


class Encoder:
    """Stands for the sentence encoder."""

    identity = "fake"
    description = {"name": None, "sha256": "fake"}  # noqa: RUF012 - read only

    @staticmethod
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(list(text.encode())).normal(size=8) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32).reshape(-1, 8)

    def speaking(self, _: str) -> "Encoder":
        return self


@pytest.mark.parametrize("kind", [BLEND, KERNEL, LIKELIHOOD])
def test_verdicts_on_test_events_move_no_weight_no_calibration_and_no_threshold(
    graph: KnowledgeGraph, begun: Run, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("critic.likelihood.view.View.digest", "a digest")
    monkeypatch.setattr(
        "critic.likelihood.view.View._ask",
        lambda _, some: [
            Answer(-len(one.tail), -len(one.tail) - 1.0, 2.0, np.full(3, len(one.head) % 7, np.float32)) for one in some
        ],
    )
    monkeypatch.setattr("kg.encoder.Encoder.described", lambda *_: Encoder())
    some = TRIPLES[:300]
    graph.add([Assertion(triple) for triple in some], begun)
    found = []
    for flip in (1, -1):
        graph.record_judgements(
            [Judgement(one, "me", (2 if n % 3 else -2) * (flip if split_in(one) == "test" else 1))
             for n, one in enumerate(some)],
            begun,
        )  # fmt: skip
        workspace = Workspace(tmp_path / f"{flip}")
        trained = train_critic(graph, workspace, Encoder(), kind=kind)  # type: ignore[arg-type]
        files = {path.name: path.read_bytes() for path in trained.folder.iterdir() if path.name != "report.json"}
        found.append(
            (trained.id, files, calibrate_critic(graph, workspace), trained.report["systems"]["critic"]["auc"])
        )
    assert found[0][:3] == found[1][:3]
    assert found[0][2].intervals
    assert graph.current_acceptance(trained.id) == found[0][2]
    assert found[0][3] != found[1][3], "the report alone follows them"

"""What only the generator does."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kg.errors import InputError
from kg.model import Triple
from kg.vocabulary import Relation, Vocabulary
from student.generator import start as generator_start
from student.generator import training as generator_training
from student.generator.model import Generator
from student.generator.tokens import MAX_TAIL_TOKENS
from student.interface import Student
from student.objective import Objective
from tests.repeats import often
from tests.student.conftest import use_dtype

Train = Callable[..., Student]

ENDLESS = " ".join(f"w{number}" for number in range(200))


class Cut(Exception):  # noqa: N818 - stands for a kill
    """Stands for a kill in the middle of a training."""


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    real, calls = generator_training.tail_losses, iter(range(after))

    def failing(*arguments: object) -> object:
        if next(calls, None) is None:
            raise Cut
        return real(*arguments)

    monkeypatch.setattr(generator_training, "tail_losses", failing)


def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    real, steps = generator_training.tail_losses, []

    def counting(*arguments: object) -> object:
        steps.append(1)
        return real(*arguments)

    monkeypatch.setattr(generator_training, "tail_losses", counting)
    return steps


@pytest.mark.parametrize(
    ("of_base", "dtype"),
    [
        (True, torch.float32),
        (False, torch.bfloat16),
        (True, torch.bfloat16),
        (True, torch.float16),
        (False, torch.float32),
    ][: often(2, 5)],
)
def test_an_interrupted_training_goes_on_and_ends_as_a_straight_one(
    of_base: bool, dtype: torch.dtype, base: Path, train: Train, tmp_path: Path, eight: list[Triple],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    use_dtype(monkeypatch, dtype)
    options: dict[str, Any] = {"epochs": 9, "base": str(base) if of_base else None}
    straight = train("generator", tmp_path / "straight", **options)
    steps = straight.metrics["steps"]
    with monkeypatch.context() as patch:
        interrupt(patch, steps // 2)
        with pytest.raises(Cut):
            train("generator", tmp_path / "resumed", **options)
    assert (tmp_path / ".resumed.progress").is_file()
    assert not (tmp_path / "resumed").exists()
    with monkeypatch.context() as patch:
        done = count_steps(patch)
        resumed = train("generator", tmp_path / "resumed", **options)
    assert 0 < len(done) < steps
    assert not (tmp_path / ".resumed.progress").exists()
    assert resumed.metrics["loss"] == straight.metrics["loss"]
    for path in (tmp_path / "straight").iterdir():
        if path.name != "metrics.json":  # which has the time that it took
            assert path.read_bytes() == (tmp_path / "resumed" / path.name).read_bytes(), path.name
    pairs = [(triple.head, triple.relation) for triple in eight]
    assert resumed.predict(pairs, 3) == straight.predict(pairs, 3)


WORDS = {"xWant": "and so PersonX wants", "xReact": "and PersonX feels"}


def other_weights(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    save_file({name: weight * 1.01 for name, weight in weights.items()}, base / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("change", ["nothing", "seed", "epochs", "triples", "phrases", "weights", "dtype", "version"])
def test_only_progress_of_equal_arguments_is_taken_over(
    change: str, base: Path, train: Train, tmp_path: Path, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "base"
    shutil.copytree(base, own)
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        with pytest.raises(Cut):
            train("generator", tmp_path / "student", epochs=6, base=str(own))
    options: dict[str, Any] = {"epochs": 6, "base": str(own)}
    match change:
        case "seed":
            options["seed"] = 4
        case "epochs":
            options["epochs"] = 7
        case "triples":
            options["triples"] = eight[:6]
        case "phrases":
            options["vocabulary"] = Vocabulary([Relation(name, phrase=phrase) for name, phrase in WORDS.items()])
        case "weights":
            other_weights(own)
        case "dtype":
            use_dtype(monkeypatch, torch.bfloat16)
        case "version":
            monkeypatch.setattr(generator_training, "__version__", "99")
    done = count_steps(monkeypatch)
    student = train("generator", tmp_path / "student", **options)
    assert (len(done) == student.metrics["steps"]) == (change != "nothing")


@pytest.mark.parametrize(("most", "steps"), [(4_000, 12), (5, 6), (1, 3)])
def test_batches_of_large_data_grow_by_four_at_most(
    most: int, steps: int, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_training, "_STEPS", most)
    triples = [Triple(f"PersonX eats {number}", "xWant", "to sleep") for number in range(96)]
    student = train("generator", tmp_path / "student", triples=triples, epochs=1)
    assert student.metrics["steps"] == steps  # of 8, 19 and 32 pairs


@pytest.mark.parametrize("content", [b"", b"no progress at all", b"\x80\x04K\x01."])
def test_damaged_progress_means_a_fresh_start(content: bytes, train: Train, tmp_path: Path) -> None:
    (tmp_path / ".student.progress").write_bytes(content)
    train("generator", tmp_path / "student")
    train("generator", tmp_path / "other")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "other")]
    assert weights[0] == weights[1]


def test_hostile_tails_are_learnt_as_texts(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_start, "WIDTH", 128)
    triples = [
        Triple("PersonX types", "xWant", "<xReact>"),
        Triple("PersonX reads", "xWant", "[GEN]"),
        Triple("PersonX <xWant> [GEN] to", "xReact", "[EOS]"),
    ]
    student = train("generator", tmp_path / "student", triples=triples, epochs=200)
    answers = student.predict([(triple.head, triple.relation) for triple in triples], 1)
    assert [answer[0].tail for answer in answers] == [triple.tail for triple in triples]


@pytest.mark.parametrize("of_base", [True, False])
def test_a_long_event_is_asked_about_and_a_long_tail_is_left_out(
    of_base: bool, base: Path, train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    long = [Triple(ENDLESS, "xWant", "to rest"), Triple("PersonX talks", "xWant", ENDLESS)]
    student = train("generator", tmp_path / "student", triples=[*eight, *long], base=str(base) if of_base else None)
    assert student.metrics["left_out"] == 1
    sums, tokens = student.logprobs(long)
    assert sums[1] == tokens[1] == 0
    assert 0 < tokens[0] <= MAX_TAIL_TOKENS
    assert sums[0] < 0
    assert len(student.predict([(ENDLESS, "xWant")], 2)) == 1


def test_only_long_tails_are_nothing_to_train_on(train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every tail is longer than 48 tokens"):
        train("generator", tmp_path / "student", triples=[Triple("PersonX talks", "xWant", ENDLESS)])


def test_logprobs_do_not_depend_on_what_else_is_asked(train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    student = train("generator", tmp_path / "student")
    together, lengths = student.logprobs(eight)
    apart = [student.logprobs([triple]) for triple in eight]
    np.testing.assert_allclose(together, [sums[0] for sums, _ in apart], rtol=1e-4)
    assert lengths.tolist() == [tokens[0] for _, tokens in apart]


@pytest.mark.parametrize("of_base", [True, False])
def test_a_logprob_is_what_the_plain_model_gives_the_tail_and_its_end(
    of_base: bool, base: Path, train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    student = train("generator", tmp_path / "student", base=str(base) if of_base else None)
    assert isinstance(student, Generator)
    sums, tokens = student.logprobs(eight)
    for triple, found, length in zip(eight, sums, tokens, strict=True):
        given, tail = student.codec.given(triple.head, triple.relation), student.codec.tail(triple.tail)
        assert tail[-1] == student.codec.end
        with torch.inference_mode():
            logits = student.model(input_ids=torch.tensor([[*given, *tail[:-1]]])).logits[0, len(given) - 1 :]
        expected = logits.log_softmax(-1)[range(len(tail)), list(tail)].sum()
        assert (found, length) == (pytest.approx(float(expected), rel=1e-4), len(tail))


def test_the_order_and_duplicates_of_triples_do_not_matter(train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    train("generator", tmp_path / "a")
    train("generator", tmp_path / "b", triples=[*eight[::-1], *eight])
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


STOPPING: dict[str, Any] = {"epochs": 12, "objective": Objective(patience=2, schedule="constant")}


def test_a_training_stops_where_held_out_tails_get_no_likelier_and_takes_the_best_pass(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_training, "FROM_SCRATCH", generator_training.FROM_SCRATCH._replace(rate=0.02))
    held_out = [Triple("PersonX misses the bus", "xWant", "sad"), Triple("PersonX naps", "xAttr", "of no relation")]
    student = train("generator", tmp_path / "a", held_out=held_out, **STOPPING | {"epochs": 80})
    losses = student.metrics["held_out_loss"]
    best = student.metrics["best"]
    assert losses[best - 1] == min(losses)
    assert len(losses) == best + 2 < 80
    sums, tokens = student.logprobs(held_out[:1])
    assert -sums[0] / tokens[0] == pytest.approx(min(losses), abs=1e-3)


def test_a_training_with_patience_resumes_as_a_straight_one(
    train: Train, tmp_path: Path, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_training, "FROM_SCRATCH", generator_training.FROM_SCRATCH._replace(rate=0.02))
    train("generator", tmp_path / "straight", held_out=eight[:2], **STOPPING)
    with monkeypatch.context() as patch:
        interrupt(patch, 6)
        with pytest.raises(Cut):
            train("generator", tmp_path / "resumed", held_out=eight[:2], **STOPPING)
    assert (tmp_path / ".resumed.progress").is_file()
    train("generator", tmp_path / "resumed", held_out=eight[:2], **STOPPING)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "resumed")]
    assert weights[0] == weights[1]


def test_patience_needs_something_to_stop_by(train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no held-out tail to stop by"):
        train("generator", tmp_path / "a", **STOPPING)

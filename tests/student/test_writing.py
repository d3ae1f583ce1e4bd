"""Which tails a generator gives: as many as are asked for, different ones, and such as the event makes likely."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from kg.language_model.generation import Tail, Writer
from kg.model import NOTHING, Triple
from student import checkpoint
from student.generator import model as generator_model
from student.generator import training as generator_training
from student.generator.choice import choose
from student.generator.model import DRAWS, OTHERS, Generator
from student.generator.tokens import Codec
from student.interface import Encode, Student
from tests.language_model import tiny
from tests.repeats import only_thorough
from tests.student.conftest import use_dtype

Memorised = dict[str, tuple[Student, Path]]
Train = Callable[..., Student]

NEW = ("PersonX sees something new", "xWant")


@pytest.fixture(scope="module")
def based(tmp_path_factory: pytest.TempPathFactory, eight: list[Triple], vocabulary: Any, encode: Encode) -> Generator:
    """A generator that learnt the eight triples in words, from a base."""
    base = tmp_path_factory.mktemp("base")
    phrases = {name: vocabulary[name].phrase for name in ("xWant", "xReact")}
    texts = [f"{one.head}, {phrases[one.relation]} {one.tail}" for one in eight]
    codec = Codec.fit(texts * 2, [])
    codec.save(base)
    config = GPT2Config(vocab_size=len(codec), n_positions=256, n_layer=2, n_embd=128, n_head=4, eos_token_id=codec.end)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(config)
        torch.nn.init.normal_(model.transformer.wte.weight, std=0.2)  # or a head that is not trained hardly decides
    model.save_pretrained(base)
    with pytest.MonkeyPatch.context() as patch:
        use_dtype(patch, torch.float32)
        patch.setattr(generator_training, "OF_BASE", generator_training.OF_BASE._replace(rate=0.005))
        student = checkpoint.train_checkpoint(
            "generator", eight, vocabulary, tmp_path_factory.mktemp("based") / "student", encode=encode, seed=1,
            base=str(base), epochs=100, manifest={"lang": "en"},
        )  # fmt: skip
    assert isinstance(student, Generator)
    return student


@pytest.fixture
def memorised_one(memorised: Memorised) -> Generator:
    student, _ = memorised["generator"]
    assert isinstance(student, Generator)
    return student


@pytest.mark.parametrize("count", [1, 3, 5])
def test_exactly_as_many_tails_come_as_are_asked_for_and_all_are_different(
    count: int, based: Generator, memorised_one: Generator, eight: list[Triple]
) -> None:
    for student in (based, memorised_one):
        for found in student.predict([(triple.head, triple.relation) for triple in eight], count):
            tails = [prediction.tail for prediction in found]
            assert len(tails) == len(set(tails)) == count
            assert all(tail == tail.strip() and tail != NOTHING for tail in tails)


def test_what_was_learnt_is_the_most_probable_tail(based: Generator, eight: list[Triple]) -> None:
    found = based.predict([(triple.head, triple.relation) for triple in eight], 3)
    best = [max(tails, key=lambda one: one.logprob).tail for tails in found]
    assert best == [triple.tail for triple in eight]


def test_wider_samples_are_drawn_only_where_tails_are_lacking(
    memorised_one: Generator, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, float, int]] = []

    class Scanty(Writer):
        """Has nothing to say about the first prompt, and enough about the second."""

        def beams(self, prompts: Sequence[Any], width: int, **named: Any) -> list[list[Tail]]:
            self.first = prompts[0]
            return [[], super().beams(prompts[1:], width, **named)[0]]

        def samples(self, prompts: Sequence[Any], count: int, **named: Any) -> list[list[Tail]]:
            drawn.append((named["nucleus"], named["temperature"], len(prompts)))
            wide = (named["nucleus"], named["temperature"]) == DRAWS[-1]
            return [
                tails if wide or prompt != self.first else tails[:1]
                for prompt, tails in zip(prompts, super().samples(prompts, count, **named), strict=True)
            ]

    monkeypatch.setattr(generator_model, "Writer", Scanty)
    first, second = memorised_one.predict([(one.head, one.relation) for one in eight[:2]], 3)
    assert drawn == [(*DRAWS[0], 2), *((*draw, 1) for draw in DRAWS[1:])]
    assert first[0].tail == eight[0].tail
    assert len(second) == 3


def test_what_is_no_phrase_is_not_given(memorised_one: Generator) -> None:
    def tail(text: str, *, ended: bool = True) -> Tail:
        return Tail(text, -1.0, (), ended, (-1.0,))

    endless = " ".join(f"w{number}" for number in range(200))
    bad = ["", NOTHING, "to run\nto hide", "a\rb", "a\u2028b", "\ufffd", "a\0b", "to \x14 run", "to\trun", endless]
    found = memorised_one._phrases(  # noqa: SLF001 - no model says all of these
        [*map(tail, bad), tail("to be cut", ended=False), tail("Ame\u0301lie"), tail("Am\u00e9lie"), tail("to run")]
    )
    assert list(found) == ["Am\u00e9lie", "to run"]


def test_equal_questions_get_the_answer_of_one_asked_alone(based: Generator, eight: list[Triple]) -> None:
    pairs = [(triple.head, triple.relation) for triple in eight]
    together = based.predict([*pairs, pairs[0]], 3)
    assert together[0] == together[-1]
    alone = based.predict([pairs[0]], 3)[0]
    assert [one.tail for one in alone] == [one.tail for one in together[0]]
    assert [one.logprob for one in alone] == pytest.approx([one.logprob for one in together[0]], abs=1e-4)


def test_an_event_is_held_against_others_and_never_against_itself(
    based: Generator, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = sorted({triple.head for triple in eight})
    assert sorted(based.others) == heads
    assert len(heads) == OTHERS + 1
    asked: list[list[Triple]] = []
    real = Generator.logprobs

    def watched(self: Generator, triples: Sequence[Triple]) -> Any:
        asked.append(list(triples))
        return real(self, triples)

    monkeypatch.setattr(Generator, "logprobs", watched)
    based.predict([(head, "xWant") for head in [*heads, NEW[0]]], 2)
    own, *elsewhere = asked
    assert len(elsewhere) == OTHERS
    for place, triple in enumerate(own):
        rivals = {some[place].head for some in elsewhere}
        assert len(rivals) == OTHERS
        assert triple.head not in rivals
        assert {(some[place].relation, some[place].tail) for some in elsewhere} == {(triple.relation, triple.tail)}


def test_what_fits_any_event_comes_after_what_fits_this_one(based: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    likely = {"to rest": (-0.9, -0.9), "to call a taxi": (-1.0, -4.0)}  # here, elsewhere
    monkeypatch.setattr(Generator, "_write", lambda *_: [list(likely)])

    def stated(_: Generator, triples: Sequence[Triple]) -> Any:
        sums = [likely[triple.tail][triple.head in based.others] for triple in triples]
        return np.array(sums), np.ones(len(triples), dtype=np.int64)

    monkeypatch.setattr(Generator, "logprobs", stated)
    assert [one.tail for one in based.predict([NEW], 2)[0]] == ["to call a taxi", "to rest"]
    assert [one.logprob for one in based.predict([NEW], 2)[0]] == [-1.0, -0.9]
    monkeypatch.setattr(based, "others", ())
    assert [one.tail for one in based.predict([NEW], 2)[0]] == ["to rest", "to call a taxi"]


def test_a_student_of_one_event_holds_it_against_nothing(base: Path, train: Train, tmp_path: Path) -> None:
    student = train("generator", tmp_path / "s", triples=[Triple("PersonX naps", "xWant", "to rest")], base=str(base))
    assert isinstance(student, Generator)
    student.predict([("PersonX naps", "xWant"), ("PersonX runs", "xWant")], 2)
    assert student.logprobs([Triple("PersonX naps", "xWant", "to rest")])[0][0] < 0


@only_thorough
def test_more_tails_than_the_tokens_allow_beams_for_are_no_error(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_model, "MAX_TAIL_TOKENS", 3)
    tiny.tokenizer().save_pretrained(tmp_path / "base")
    tiny.llama(vocab_size=len(tiny.tokenizer())).save_pretrained(tmp_path / "base")
    student = train("generator", tmp_path / "student", base=str(tmp_path / "base"), epochs=1)
    assert len(student.predict([NEW], 1_000)[0]) <= 1_000


def test_the_same_thing_in_other_words_is_chosen_only_where_nothing_else_is_left() -> None:
    tails = ["to pay her fine", "to pay a fine", "to read another book", "to pay the fine now"]
    values = [-1.0, -1.1, -2.0, -1.5]
    assert choose(tails, values, 1) == [0]
    assert choose(tails, values, 2) == [0, 2]
    assert choose(tails, values, 3) == [0, 1, 2]
    assert choose(tails, values, 9) == [0, 1, 3, 2]
    assert choose([], [], 3) == []


def test_of_equally_good_tails_the_first_by_the_alphabet_is_chosen() -> None:
    assert choose(["to sing", "to act", "glad"], [-1.0, -1.0, -1.0], 2) == [2, 1]

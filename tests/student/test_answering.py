"""What students say to published prefixes."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import student.runs
from kg.cli import app
from kg.errors import InputError, NotFound
from kg.language_model.generation import Writer
from kg.model import Triple
from student.generator.tokens import MAX_TAIL_TOKENS
from student.interface import Student
from student.kinds import KINDS
from student.metrics.answering import answer, unknown_relations
from student.metrics.files import read_outputs

Memorised = dict[str, tuple[Student, Path]]
PREFIXES = [
    (("PersonX misses the bus", "xWant"), ("to call a taxi",)),
    (("PersonX loses the dog", "isAfter"), ()),
    (("PersonX wins the race", "xReact"), ()),
    (("PersonX misses the bus", "xWant"), ()),
]
KNOWN = ["to call a taxi", "proud and happy", "to call a taxi"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_student_says_what_it_knows_by_heart(memorised: Memorised, kind: str) -> None:
    model, _ = memorised[kind]
    outputs = list(answer(model, PREFIXES, 2))
    assert [(one.head, one.relation) for one in outputs] == [pair for pair, _ in PREFIXES if pair[1] != "isAfter"]
    assert outputs[0].tails == ("to call a taxi",)
    if kind in ("generator", "ranker"):
        assert [one.greedy for one in outputs] == KNOWN
        assert [one.generations[0] for one in outputs] == KNOWN
        assert {len(one.generations) for one in outputs} == {2}
    assert unknown_relations(model, PREFIXES) == {"isAfter": 1}


def test_beams_are_those_of_a_plain_search_and_not_of_a_choice(memorised: Memorised) -> None:
    model, _ = memorised["generator"]
    pair = ("PersonX misses the bus", "xWant")
    codec = model.codec
    writer = Writer(
        model.model, codec.tokenizer, ends=[codec.end], max_tokens=MAX_TAIL_TOKENS, suppressed=set(codec.special)
    )
    (output,) = answer(model, [(pair, ())], 3)
    (expected,) = writer.beams([codec.given(*pair)], 3, length_penalty=0.0)
    assert list(output.generations) == [tail.text for tail in expected]


def test_beams_are_in_the_order_of_their_probability_however_long_they_are(memorised: Memorised) -> None:
    model, _ = memorised["generator"]
    lengths: set[int] = set()
    for pair, _ in PREFIXES[::2]:
        (output,) = answer(model, [(pair, ())], 10)
        sums, tokens = model.logprobs([Triple(*pair, tail) for tail in output.generations])
        assert len(sums) == 10
        assert (np.diff(sums) <= 1e-4).all()
        lengths |= set(tokens.tolist())
        assert (np.diff(sums / tokens) > 0).any(), "by the mean the order would be another one"
    assert len(lengths) > 1


def test_a_student_that_knows_no_relation_of_the_prefixes_says_so(memorised: Memorised) -> None:
    with pytest.raises(InputError, match="knows not one of the prefixes' relations; it knows xReact, xWant"):
        list(answer(memorised["ranker"][0], PREFIXES[1:2], 2))


def test_answers_are_written_in_the_published_form(
    memorised: Memorised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = memorised["ranker"]
    monkeypatch.setattr(student.runs, "student_in", lambda _, name: SimpleNamespace(ranker=model).__dict__[name])
    prefixes, out = tmp_path / "prefixes.tsv", tmp_path / "outputs.jsonl"
    prefixes.write_text("PersonX misses the bus @@ xWant\tto call a taxi| to go\na @@ isAfter\n", encoding="utf-8")
    options = ["student", "answer", "--student", "ranker", "--prefixes", str(prefixes), "--beams", "3"]
    done = CliRunner().invoke(app, [*options, "--out", str(out)])
    assert "1 prefixes left out, of relations that it was not trained on: isAfter" in done.stderr
    (output,) = read_outputs(out)
    assert output.tails == ("to call a taxi", "to go")
    assert output.greedy == "to call a taxi"
    assert json.loads(CliRunner().invoke(app, options).stdout)["greedy"] == "to call a taxi"


def test_a_student_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KG_HOME", str(tmp_path))
    (tmp_path / "prefixes.tsv").write_text("a @@ r\n", encoding="utf-8")
    found = CliRunner().invoke(
        app, ["student", "answer", "--student", "nobody", "--prefixes", str(tmp_path / "prefixes.tsv")]
    )
    assert isinstance(found.exception, NotFound)

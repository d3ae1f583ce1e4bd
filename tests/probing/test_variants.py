"""What a probe asks besides, with a model that answers what a test wants."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from kg.model import Triple
from kg.probing.clozes import Cloze
from kg.probing.probe import ask, misprimed, negated, unnamed
from kg.probing.ranks import Array
from kg.probing.wording import Blank

TAILS = ["Oslo", "Rome", "Paris", "Lima", "Bern"]


class Oracle:
    """Finds the candidates that its answers name best, in their order."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.candidates = TAILS
        self.answers = answers
        self.asked: list[str] = []

    def scores(self, blanks: Sequence[Blank], tails: Sequence[str] | None = None) -> Iterator[Array]:
        assert tails is None or len(tails) == len(blanks)
        for blank in blanks:
            self.asked.append(blank.fill("_"))
            best = self.answers[blank.fill("_")]
            yield np.array([-float(best.index(one) if one in best else len(best)) for one in self.candidates])


def cloze(head: str, tail: str, relation: str = "P19", *, negation: bool = True) -> Cloze:
    denied = Blank(f"{head} was not born in ", ".") if negation else None
    return Cloze(Triple(head, relation, tail), Blank(f"{head} was born in ", "."), Blank("was born in ", "."), denied)


def test_a_model_that_overlooks_not_answers_alike() -> None:
    rows = [cloze("Kai", "Oslo"), cloze("Pia", "Rome"), cloze("Una", "Lima", negation=False)]
    oracle = Oracle({
        "Kai was born in _.": ["Oslo"], "Kai was not born in _.": ["Oslo"], "Pia was born in _.": ["Rome"],
        "Pia was not born in _.": ["Bern"], "Una was born in _.": ["Bern"],
    })  # fmt: skip
    found = negated(oracle, rows, defaultdict(set), ask(oracle, rows, defaultdict(set)), 0, "none")
    assert (found["facts"], found["same"]) == (2, 0.5)
    assert found["summary"]["facts_mean"]["raw"]["P@1"][0] == 0.5


def test_a_model_is_misled_where_it_repeats_the_wrong_tail() -> None:
    rows = [cloze("Kai", "Oslo"), cloze("Pia", "Rome"), cloze("Una", "Lima", "P20")]
    oracle = Oracle({"Rome? Kai was born in _.": ["Rome"], "Oslo? Pia was born in _.": ["Rome"]})
    found = misprimed(oracle, rows, {row.blank: {row.triple.tail} for row in rows}, 0, "none")
    assert (found["facts"], found["misled"]) == (2, 0.5)
    assert found["summary"]["facts_mean"]["filtered"]["P@1"][0] == 0.5


def test_another_right_tail_misleads_nobody() -> None:
    rows = [cloze("Kai", "Oslo"), cloze("Kai", "Rome")]
    assert misprimed(Oracle({}), rows, {rows[0].blank: {"Oslo", "Rome"}}, 0, "none") == {"facts": 0}


@pytest.mark.parametrize(("guessed", "kept"), [(False, ["Kai Ono", "Pia Po", "Una"]), (True, ["Pia Po", "Una"])])
def test_facts_that_a_name_gives_away_are_left_out(guessed: bool, kept: list[str]) -> None:
    rows = [cloze("Kai Ono", "Oslo"), cloze("Mr Oslo", "oslo"), cloze("Pia Po", "Rome"), cloze("Una", "Lima", "P36")]
    oracle = Oracle({
        f"{name} is a common name in the city of _.": best
        for name, best in {
            "Kai": ["Bern", "Rome", "Lima", "Oslo"], "Ono": ["Bern", "Rome", "Oslo"], "Pia": ["Bern", "Lima", "Oslo"],
            "Po": ["Paris", "Lima", "Oslo"],
        }.items()
    })  # fmt: skip
    assert [row.triple.head for row in unnamed(oracle, rows, guessed=guessed)] == kept
    assert len(oracle.asked) == (4 if guessed else 0)

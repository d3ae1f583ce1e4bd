"""Agreement of annotators: against figures from books, against other software, and with machines apart."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

from critic.agreement import Agreement, agreement
from critic.agreement_report import as_json, format_agreement
from critic.consensus import dawid_skene, majority
from critic.reliability import IN_COMMON, Reliability, reliability, reliability_of_two
from kg.model import JUDGEMENT_VALUES, Judgement, Triple
from tests.repeats import often, only_thorough

Sheet = Sequence[Mapping[str, int]]


def triple(number: int) -> Triple:
    return Triple(f"PersonX does {number}", "xWant", "to rest")


def judged(rows: Sheet) -> dict[Triple, Mapping[str, int]]:
    return {triple(number): row for number, row in enumerate(rows) if len(row) > 1}


def judgements(rows: Sheet) -> list[Judgement]:
    return [Judgement(triple(n), name, value) for n, row in enumerate(rows) for name, value in row.items()]


def of(rows: Sheet) -> Reliability:
    return reliability(judged(rows))


def drawn(seed: int, annotators: int, triples: int, errs: float = 0.2) -> list[dict[str, int]]:
    """Verdicts of annotators who each err on a share of the triples, half of which are good."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, triples)
    wrong = random.random((triples, annotators)) < errs
    size = random.integers(1, 3, (triples, annotators))
    return [
        {f"a{place}": int((1 if truth[n] ^ wrong[n, place] else -1) * size[n, place]) for place in range(annotators)}
        for n in range(triples)
    ]


# Krippendorff 2011, section C: four observers, twelve units, some values missing; the scale here has no value 5.
KRIPPENDORFF = (
    "1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 .",
)  # fmt: skip


def test_alpha_on_the_scale_is_what_its_definition_gives_pair_by_pair() -> None:
    steps = {"1": -2, "2": -1, "3": 1, "4": 2}
    columns = zip(*(row.split() for row in KRIPPENDORFF), strict=True)
    units = [{f"o{o}": steps[c] for o, c in enumerate(column) if c in steps} for column in columns]
    assert by_definition(units) == pytest.approx(0.7631142150)  # as the package krippendorff 0.9 has it
    assert of([unit for unit in units if len(unit) > 1]).alpha_scale.value == pytest.approx(by_definition(units))


def by_definition(units: Sheet) -> float:
    """Krippendorff's ordinal alpha, pair by pair of values, as its definition has it."""
    usable = [[v for v in unit.values() if v != -9] for unit in units]
    usable = [unit for unit in usable if len(unit) > 1]
    values = [v for unit in usable for v in unit]
    scale = sorted(set(values))

    def distance(one: int, other: int) -> float:
        low, high = sorted((one, other))
        between = sum(values.count(g) for g in scale if low <= g <= high)
        return (between - (values.count(low) + values.count(high)) / 2) ** 2

    observed = sum(
        distance(a, b) / (len(unit) - 1)
        for unit in usable
        for i, a in enumerate(unit)
        for j, b in enumerate(unit)
        if i != j
    )
    expected = sum(distance(a, b) for a in values for b in values) / (len(values) - 1)
    return 1 - observed / expected


def test_every_coefficient_of_a_small_sheet_is_the_one_computed_by_hand() -> None:
    # two annotators on ten triples: both accept 4, both reject 3, one alone accepts 2, the other alone accepts 1
    rows = [{"one": 2, "other": 1}] * 4 + [{"one": -1, "other": -2}] * 3 + [{"one": 1, "other": -1}] * 2
    found = of([*rows, {"one": -2, "other": 2}])
    assert found.pairwise.value == pytest.approx(0.7)
    assert found.cohen.value == pytest.approx((0.7 - 0.5) / (1 - 0.5))  # .6 x .5 + .4 x .5 by chance
    assert found.fleiss.value == pytest.approx((0.7 - 0.505) / (1 - 0.505))  # 11 of 20 verdicts accept
    assert found.alpha_accepted.value == pytest.approx(1 - 19 * 6 / (2 * 11 * 9))  # 6 of 20 coincidences differ
    assert [row.bias.value for row in found.biases] == pytest.approx([0.1, -0.1])
    assert [row.accepted for row in found.biases] == pytest.approx([0.6, 0.5])


@pytest.mark.parametrize("seed", range(often(2, 5)))
def test_kappas_are_those_of_other_software(seed: int) -> None:
    rows = drawn(seed, annotators=4, triples=60)
    found = of(rows)
    good = np.array([[value > 0 for _, value in sorted(row.items())] for row in rows])
    assert len(found.pairs) == 6
    for pair in found.pairs:
        one, other = (int(name[1:]) for name in pair.annotators)
        assert pair.kappa.value == pytest.approx(cohen_kappa_score(good[:, one], good[:, other]))
    assert found.cohen.value == pytest.approx(np.mean([pair.kappa.value for pair in found.pairs]))
    table = np.stack([(~good).sum(axis=1), good.sum(axis=1)], axis=1)
    assert found.fleiss.value == pytest.approx(fleiss_kappa(table))
    assert found.alpha_scale.value == pytest.approx(by_definition(rows))
    alike = [row[i] == row[j] for row in good for i in range(4) for j in range(i)]
    assert found.pairwise.value == pytest.approx(np.mean(alike))


VALUES = st.sampled_from(JUDGEMENT_VALUES)
SHEETS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=2), min_size=1, max_size=12)


@settings(deadline=None, max_examples=often(10, 20))
@given(SHEETS)
def test_whatever_was_judged_no_figure_is_out_of_its_range_and_each_is_in_its_interval(rows: Sheet) -> None:
    found = of(rows)
    figures = [found.pairwise, found.fleiss, found.alpha_accepted, found.alpha_scale, found.cohen]
    figures += [pair.kappa for pair in found.pairs] + [row.bias for row in found.biases]
    for figure in figures:
        assert figure.value is None or (math.isfinite(figure.value) and figure.value <= 1)
        assert figure.interval is None or figure.interval[0] < figure.interval[1] <= 1
    text = format_agreement(agreement(judgements(rows), {}, seed=1))
    assert "nan" not in text


def test_unfamiliar_is_not_accepted_and_missing_on_the_scale() -> None:
    sure = drawn(1, annotators=3, triples=40)
    unsure = [row | ({"a0": -9} if n % 4 == 0 else {}) for n, row in enumerate(sure)]
    without = [{name: value for name, value in row.items() if value != -9} for row in unsure]
    rejected = [{name: -1 if value == -9 else value for name, value in row.items()} for row in unsure]
    assert of(unsure).alpha_scale.value == of(without).alpha_scale.value != of(rejected).alpha_scale.value
    assert of(unsure).alpha_accepted.value == of(rejected).alpha_accepted.value != of(without).alpha_accepted.value


def test_what_is_all_alike_has_no_kappa_and_no_interval() -> None:
    found = of([{"one": 2, "other": 2}] * 10)
    assert found.pairwise.value == 1
    assert {found.cohen.value, found.fleiss.value, found.alpha_accepted.value, found.alpha_scale.value} == {None}
    assert found.pairwise.interval is None
    assert dawid_skene(judged([{"one": 2, "other": 2}] * 10)) is None
    assert "not defined" in format_agreement(agreement(judgements([{"one": 2, "other": 2}] * 10), {}))


def test_two_annotators_with_too_little_in_common_are_no_pair() -> None:
    rows = [{"one": 2, "other": 2}] * IN_COMMON + [{"one": 2, "third": -2}] * (IN_COMMON - 1)
    assert [pair.annotators for pair in of(rows).pairs] == [("one", "other")]


@only_thorough
def test_an_interval_holds_what_many_more_triples_would_show() -> None:
    truth = (0.8**2 + 0.2**2 - 0.5) / 0.5  # who err on a fifth of the triples agree by that much
    hit = 0
    for seed in range(30):
        interval = of(drawn(seed, annotators=3, triples=80)).fleiss.interval
        assert interval is not None
        assert interval[1] - interval[0] < 0.5
        hit += interval[0] <= truth <= interval[1]
    assert hit >= 25


def test_who_accepts_more_than_the_others_is_seen() -> None:
    rows = [row | {"mild": 1} for row in drawn(3, annotators=3, triples=100)]
    found = {row.annotator: row for row in of(rows).biases}
    others = np.mean([[row[f"a{n}"] > 0 for n in range(3)] for row in rows])
    assert found["mild"].bias.value == pytest.approx(1 - others)
    assert found["mild"].bias.interval is not None
    assert found["mild"].bias.interval[0] > 0.3
    assert all((found[f"a{n}"].bias.value or 0) < 0 for n in range(3))


def reference(rows: Sheet, steps: int = 3_000) -> tuple[list[float], dict[str, tuple[float, float]]]:
    """Dawid and Skene's EM, written out: each triple's probability, each annotator's two rates."""
    names = sorted({name for row in rows for name in row})
    good = [np.mean([value > 0 for value in row.values()]) for row in rows]
    for _ in range(steps):
        prior = np.mean(good)
        rate = {}
        for name in names:
            mine = [(g, row[name] > 0) for g, row in zip(good, rows, strict=True) if name in row]
            rate[name] = (
                sum(g for g, said in mine if said) / sum(g for g, _ in mine),
                sum(1 - g for g, said in mine if not said) / sum(1 - g for g, _ in mine),
            )
        odds = [math.prod([prior, *(rate[n][0] if v > 0 else 1 - rate[n][0] for n, v in row.items())]) for row in rows]
        against = [
            math.prod([1 - prior, *(1 - rate[n][1] if v > 0 else rate[n][1] for n, v in row.items())]) for row in rows
        ]
        good = [a / (a + b) for a, b in zip(odds, against, strict=True)]
    return [float(g) for g in good], rate


def test_the_consensus_is_dawid_and_skenes_and_finds_out_who_errs() -> None:
    rows = [
        row | {"careless": flipped["a0"]}
        for row, flipped in zip(drawn(5, 4, 150, 0.1), drawn(6, 1, 150, 0.5), strict=True)
    ]
    found = dawid_skene(judged(rows))
    assert found is not None
    good, rates = reference(rows)
    assert [found.good[triple(n)] for n in range(150)] == pytest.approx(good, abs=1e-3)
    for name, (accepts, rejects) in rates.items():
        assert (found.accepts_good[name], found.rejects_bad[name]) == pytest.approx((accepts, rejects), abs=1e-3)
    worst = min(rates, key=lambda name: found.accepts_good[name] + found.rejects_bad[name])
    assert worst == "careless"


def test_nobody_is_asked_twice_for_a_consensus_and_unfamiliar_is_no_verdict() -> None:
    rows = [row | {"silent": -9} for row in drawn(7, annotators=3, triples=50)]
    one, other = dawid_skene(judged(rows)), dawid_skene(judged(drawn(7, annotators=3, triples=50)))
    assert one is not None
    assert other is not None
    assert "silent" not in one.accepts_good
    assert one.good == pytest.approx(other.good)
    assert majority(rows[0].values()) == "unfamiliar"


def test_the_majority_is_counted_by_the_papers_rule() -> None:
    rows = (
        [{"a": 2, "b": 1, "c": -1}] * 3 + [{"a": 2, "b": 1, "c": -9}] * 2 + [{"a": 1, "b": -1}] + [{"a": -1, "b": -2}]
    )
    found = agreement(judgements(rows), {}).people.majorities
    assert found == {"accepted": 3, "rejected": 1, "tied": 1, "unfamiliar": 2}


def two_groups() -> Agreement:
    people = drawn(11, annotators=3, triples=60)
    rows = [row | {"gpt": 2, "llama": -max(row.values(), key=abs)} for row in people]
    return agreement(judgements(rows), {"gpt": "as told", "llama": "as told", "nobody": "as told"})


@only_thorough
def test_machines_are_never_among_people_and_stand_beside_their_majority() -> None:
    found = two_groups()
    assert found.people == agreement(judgements(drawn(11, annotators=3, triples=60)), {}).people
    assert list(found.machines.annotators) == ["gpt", "llama"]
    assert found.why == {"gpt": "as told", "llama": "as told"}
    assert found.machines.reliability is not None
    assert [pair.annotators for pair in found.machines.reliability.pairs] == [("gpt", "llama")]
    mild, _ = found.with_people
    good = [majority(by.values()) == "accepted" for by in found.people.judged.values()]
    assert (mild.annotator, mild.triples) == ("gpt", 60)
    assert mild.alike.value == pytest.approx(np.mean(good))
    assert mild.bias.value == pytest.approx(1 - np.mean(good))
    text = format_agreement(found)
    assert text.index("People: 3 annotators, 180 judgements") < text.index(
        "Machines, which are never counted as people"
    )
    assert "gpt, 60 triples" in text


def test_a_triple_without_a_majority_of_people_does_not_count_for_a_machine() -> None:
    rows = [{"me": 2, "you": -2, "gpt": 2}, {"me": 2, "you": -9, "gpt": 2}, {"gpt": -1}, {"me": 2, "gpt": -1}]
    (row,) = agreement(judgements(rows), {"gpt": "as told"}).with_people
    assert (row.triples, row.alike.value) == (1, 0)


def test_the_agreement_of_two_is_that_of_the_same_two_in_a_table() -> None:
    rows = drawn(12, annotators=2, triples=70)
    alike, kappa, bias = reliability_of_two([row["a0"] > 0 for row in rows], [row["a1"] > 0 for row in rows])
    table = of(rows)
    assert (alike.value, kappa.value) == pytest.approx((table.pairwise.value, table.cohen.value))
    assert bias.value == pytest.approx(table.biases[0].bias.value)
    assert kappa.interval == pytest.approx(table.cohen.interval, abs=0.03)


@only_thorough
def test_the_json_names_every_triple_with_its_consensus() -> None:
    found = as_json(two_groups())
    assert len(found["people"]["consensus"]) == found["people"]["judged_by_two_or_more"] == 60
    assert found["people"]["consensus"][0].keys() == {"head", "relation", "tail", "majority", "dawid_skene"}
    assert found["people"]["dawid_skene"]["triples"] == 60
    assert {row["annotator"] for row in found["taken_for_machines"]} == {"gpt", "llama"}

"""How reliable judgements are: coefficients of agreement of one group of annotators, with intervals over triples.

| coefficient | of | source |
|---|---|---|
| pairwise agreement | accepted or not: the share of pairs of verdicts on a triple that are alike | West et al. 2021 |
| Cohen's kappa | accepted or not, of two annotators on what both judged | Cohen 1960 |
| Fleiss' kappa | accepted or not; a triple counts once, however many judged it | Fleiss 1971, Gwet 2014 |
| Krippendorff's alpha | accepted or not (nominal); the scale from -2 to 2 (ordinal) | Krippendorff 2011 |

"Unfamiliar" (-9) is not accepted, as everywhere (`Judgement.is_good`), and missing on the scale. Intervals are from
resampled triples. Where all verdicts are alike a coefficient is not defined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kg.model import JUDGEMENT_VALUES, Triple

Floats = NDArray[np.float64]
Judged = Mapping[Triple, Mapping[str, int]]
"""Triples with each annotator's value, of `kg.model.JUDGEMENT_VALUES`."""

IN_COMMON = 5
"""Triples that two annotators must both have judged; of fewer their kappa says nothing."""

_SCALE = sorted(JUDGEMENT_VALUES[:4])
_RESAMPLES = 1_000
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes:
        value: None where the figure is not defined.
        interval: None where all resamples are alike, or too few of them define the figure.
    """

    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators on the `triples` that both judged; `kappa` is Cohen's."""

    annotators: tuple[str, str]
    triples: int
    kappa: Figure


@dataclass(frozen=True, slots=True)
class Bias:
    """How much more an annotator accepts than the others do.

    Attributes:
        annotator: the name.
        triples: how many the annotator and somebody else judged.
        accepted: the share of these that the annotator accepted.
        bias: that share minus the share of the others' verdicts on them, each triple counted once, in [-1, 1].
    """

    annotator: str
    triples: int
    accepted: float
    bias: Figure


@dataclass(frozen=True, slots=True)
class Reliability:
    """The coefficients of a group of annotators.

    Attributes:
        pairwise: share of pairs of verdicts that are alike, in [0, 1].
        fleiss: Fleiss' kappa.
        alpha_accepted: Krippendorff's alpha on accepted or not.
        alpha_scale: Krippendorff's alpha on the scale.
        cohen: the mean of the kappas of `pairs`.
        pairs: those with `IN_COMMON` triples or more, by name.
        biases: by name.
    """

    pairwise: Figure
    fleiss: Figure
    alpha_accepted: Figure
    alpha_scale: Figure
    cohen: Figure
    pairs: Sequence[Pair]
    biases: Sequence[Bias]


def reliability(judged: Judged, *, seed: int = 0) -> Reliability:
    """Return how reliable judgements are.

    Args:
        judged: each triple with two annotators or more; at least one triple.
        seed: of the bootstrap.
    """
    table = _Table(judged)
    values = table.figures(np.ones(len(judged)))
    random = np.random.default_rng(seed)
    even = np.full(len(judged), 1 / len(judged))
    draws = (random.multinomial(len(judged), even).astype(np.float64) for _ in range(_RESAMPLES))
    resampled = np.array([table.figures(weights) for weights in draws])
    figures = [_figure(float(value), column) for value, column in zip(values, resampled.T, strict=True)]
    kappas, biases = figures[5 : 5 + len(table.pairs)], figures[5 + len(table.pairs) :]
    pairwise, fleiss, alpha_accepted, alpha_scale, cohen = figures[:5]
    return Reliability(
        pairwise,
        fleiss,
        alpha_accepted,
        alpha_scale,
        cohen,
        pairs=[Pair(names, count, kappa) for (names, count), kappa in zip(table.pairs.items(), kappas, strict=True)],
        biases=[
            Bias(name, len(goods), float(np.mean(goods)), bias)
            for (name, goods), bias in zip(table.accepted.items(), biases, strict=True)
        ],
    )


def reliability_of_two(one: Sequence[bool], other: Sequence[bool], *, seed: int = 0) -> tuple[Figure, Figure, Figure]:
    """Return how two verdicts on each of some triples agree: share alike, Cohen's kappa, share accepted by one - other.

    Args:
        one: whether each triple is accepted, at least one.
        other: the same, by somebody else.
        seed: of the bootstrap.
    """
    cells = np.bincount(2 * np.array(one, dtype=int) + np.array(other, dtype=int), minlength=4)
    draws = np.random.default_rng(seed).multinomial(len(one), cells / len(one), size=_RESAMPLES)

    def figures(tables: NDArray[np.int64]) -> Floats:  # (..., 4) -> (..., 3)
        total = tables.sum(axis=-1)
        alike, differ = tables[..., 0] + tables[..., 3], tables[..., 2] - tables[..., 1]
        return np.stack([alike / total, _cohen(tables), differ / total], axis=-1)

    alike, kappa, bias = (
        _figure(float(value), column) for value, column in zip(figures(cells), figures(draws).T, strict=True)
    )
    return alike, kappa, bias


class _Table:
    """Judgements as arrays, so that a resample of the triples is but a weight for each.

    Attributes:
        pairs: names of two annotators to the number of triples that both judged, if enough.
        accepted: annotator to whether each of the triples was accepted.
    """

    def __init__(self, judged: Judged) -> None:
        good = np.array([sum(value > 0 for value in by.values()) for by in judged.values()], dtype=float)
        self._verdicts = np.array([len(by) for by in judged.values()], dtype=float)
        self._good = good / self._verdicts
        counts = np.stack([self._verdicts - good, good], axis=1)  # (T, 2)
        scale = [[sum(value == step for value in by.values()) for step in _SCALE] for by in judged.values()]
        self._coincidences = [_coincidences(counts), _coincidences(np.array(scale, dtype=float))]
        self._alike = (counts * (counts - 1)).sum(axis=1) / (self._verdicts * (self._verdicts - 1))
        self._index_pairs(judged)
        self._index_biases(judged)

    def _index_pairs(self, judged: Judged) -> None:
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for place, by in enumerate(judged.values()):
            for one, other in combinations(sorted(by), 2):
                found.setdefault((one, other), []).append((place, 2 * (by[one] > 0) + (by[other] > 0)))
        enough = {names: rows for names, rows in sorted(found.items()) if len(rows) >= IN_COMMON}
        self.pairs = {names: len(rows) for names, rows in enough.items()}
        rows = [(place, 4 * pair + cell) for pair, some in enumerate(enough.values()) for place, cell in some]
        self._pair_places, self._pair_cells = np.array(rows, dtype=int).reshape(-1, 2).T

    def _index_biases(self, judged: Judged) -> None:
        self.accepted: dict[str, list[bool]] = {
            name: [] for name in sorted({name for by in judged.values() for name in by})
        }
        numbers = {name: number for number, name in enumerate(self.accepted)}
        rows: list[tuple[int, int, float]] = []
        for place, by in enumerate(judged.values()):
            good = sum(value > 0 for value in by.values())
            for name, value in by.items():
                self.accepted[name].append(value > 0)
                rows.append((place, numbers[name], (value > 0) - (good - (value > 0)) / (len(by) - 1)))
        places, names, differences = zip(*rows, strict=True)
        self._bias_places, self._bias_names = np.array(places), np.array(names)
        self._differences = np.array(differences)

    def figures(self, weights: Floats) -> Floats:
        """Return pairwise agreement, Fleiss' kappa, both alphas, the mean of the kappas, each kappa, each bias.

        Args:
            weights: (T,) how often each triple counts.
        """
        with np.errstate(divide="ignore", invalid="ignore"):  # what is not defined is NaN
            pairs = weights * self._verdicts * (self._verdicts - 1)
            share = np.average(self._good, weights=weights)
            chance = share**2 + (1 - share) ** 2
            cells = np.bincount(self._pair_cells, weights[self._pair_places], 4 * len(self.pairs)).reshape(-1, 4)
            kappas = _cohen(cells)
            known = kappas[np.isfinite(kappas)]
            names = len(self.accepted)
            counted = np.bincount(self._bias_names, weights[self._bias_places], names)
            biases = np.bincount(self._bias_names, weights[self._bias_places] * self._differences, names) / counted
            found = [
                (pairs * self._alike).sum() / pairs.sum(),
                (np.average(self._alike, weights=weights) - chance) / (1 - chance),
                _alpha(np.tensordot(weights, self._coincidences[0], 1), is_ordinal=False),
                _alpha(np.tensordot(weights, self._coincidences[1], 1), is_ordinal=True),
                known.mean() if known.size else np.nan,
                *kappas,
                *biases,
            ]
            return np.array(found, dtype=np.float64)


def _cohen(cells: NDArray[np.int64] | Floats) -> Floats:
    """Return Cohen's kappa of tables (..., 4): accepted by nobody, by the second alone, by the first alone, by both."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = cells / cells.sum(axis=-1, keepdims=True)
        one, other = shares[..., 2] + shares[..., 3], shares[..., 1] + shares[..., 3]
        chance = one * other + (1 - one) * (1 - other)
        kappa: Floats = (shares[..., 0] + shares[..., 3] - chance) / (1 - chance)
        return kappa


def _coincidences(counts: Floats) -> Floats:
    """Return each triple's share of the matrix of coincidences (T, K, K), of how often it has each value (T, K)."""
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    shares: Floats = pairs / (np.maximum(counts.sum(axis=1), 2) - 1)[:, None, None]
    return shares


def _alpha(coincidences: Floats, *, is_ordinal: bool) -> float:
    """Return Krippendorff's alpha of a matrix of coincidences (K, K), its values in their order."""
    totals = coincidences.sum(axis=1)
    middles = totals.cumsum() - totals / 2  # the difference of two is the ordinal distance
    distances = (middles[:, None] - middles) ** 2 if is_ordinal else 1 - np.eye(len(totals))
    expected = np.outer(totals, totals) / (totals.sum() - 1)  # the diagonal is at no distance
    return float(1 - (coincidences * distances).sum() / (expected * distances).sum())


def _figure(value: float, resampled: Floats) -> Figure:
    known = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or 2 * len(known) < len(resampled):
        return Figure(value if np.isfinite(value) else None, None)
    low, high = (float(end) for end in np.quantile(known, _ENDS))
    return Figure(value, (low, high) if low < high else None)

"""A critic whose scores are mapped to probabilities by verdicts that it did not learn from.

The map stands beside the critic's own files, as `calibration.json`; a critic that needs none has no such file.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from critic.calibration import Calibration, choose_calibration
from critic.interface import Critic, FastCritic
from critic.verdicts import Verdicts
from kg import strict_json
from kg.errors import InputError
from kg.model import Triple

FILE = "calibration.json"

_DECIMALS = 6  # of a score, as critics have them
_METHODS = ("temperature", "platt", "isotonic")


class Calibrated:
    """A critic of any kind, calibrated.

    Attributes:
        role: of the critic.
        calibration: the map of its scores.
    """

    def __init__(self, critic: Critic, calibration: Calibration) -> None:
        self.role = critic.role
        self.calibration = calibration
        self._critic = critic

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the critic's scores as probabilities."""
        return self.calibration.of(self._critic.score(triples)).round(_DECIMALS)

    def save(self, folder: Path) -> None:
        """Write the critic's own files, and the calibration's."""
        self._critic.save(folder)
        (folder / FILE).write_text(strict_json.write(self.calibration._asdict(), indent=1) + "\n", encoding="utf-8")


class CalibratedFast(Calibrated):
    """The same of a critic that has a fast one, whose scores are on the same scale."""

    def __init__(self, critic: FastCritic, calibration: Calibration) -> None:
        super().__init__(critic, calibration)
        self._fast = critic

    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the fast critic's scores as probabilities."""
        return self.calibration.of(self._fast.score_fast(triples)).round(_DECIMALS)


def calibrate(critic: Critic, verdicts: Verdicts, seed: int = 0) -> Critic:
    """Return a critic with the calibration that verdicts ask for; the critic itself where they ask for none.

    Args:
        critic: any kind.
        verdicts: that its scores of their triples owe nothing to.
        seed: of the folds of the choice.
    """
    if not verdicts.triples:
        return critic
    return with_calibration(
        critic, choose_calibration(critic.score(verdicts.triples), verdicts.good, verdicts.events, seed)
    )


def with_calibration(critic: Critic, calibration: Calibration) -> Critic:
    """Return a critic whose scores are mapped; the critic itself where the map leaves them as they are."""
    if calibration.method == "none":
        return critic
    return CalibratedFast(critic, calibration) if isinstance(critic, FastCritic) else Calibrated(critic, calibration)


def read_calibration(folder: Path) -> Calibration:
    """Return the calibration beside the files of a critic; none where there is no such file.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return Calibration()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        scores, probabilities = (tuple(map(float, found[name])) for name in ("scores", "probabilities"))
        calibration = Calibration(found["method"], float(found["slope"]), float(found["shift"]), scores, probabilities)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the calibration in {path} is damaged ({error}); train the critic again") from error
    numbers = [calibration.slope, calibration.shift, *scores, *probabilities]
    is_rising = all(np.diff(some).min(initial=0) >= 0 for some in (scores, probabilities))
    if (
        calibration.method not in _METHODS or not np.isfinite(numbers).all() or len(scores) != len(probabilities)
        or not is_rising or calibration.slope <= 0 or not all(0 <= one <= 1 for one in probabilities)
        or (calibration.method == "isotonic" and not scores)
    ):  # fmt: skip
        raise InputError(f"the calibration in {path} is no rising map to probabilities; train the critic again")
    return calibration

"""Blind readings that come with the software: what readers said of the reference run's texts.

The reference run is `kg distill` on the starter corpus. Its readers saw neither source nor score nor goal; every row of
the students' sets was read, and of the larger sets a random sample. They were language models, not people.

    starter/readings.tsv      head, relation, tail, sets, verdicts (values as judgements have them, first reader first);
                              no set where a triple was in a set of an earlier reference run alone
    starter/readings.json     for each set how many rows it has and their hash; agreement and controls of the readers
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from kg.identity import triple_id, unordered_hash
from kg.model import Triple

STARTER = Path(str(resources.files("kg").joinpath("starter")))
"""The starter corpus: the recorded teacher's completions, judgements of some, and readings of the reference run."""

Sample = Mapping[Triple, bool]
"""Triples to whether their first reader accepts them."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Verdicts of blind readers on the reference run.

    Attributes:
        verdicts: triple to whether its first reader accepts it.
        sets: name of a set of the reference run to the triples of it that were read.
        about: name to the set's number of `rows` and the `hash` of its triples, as `set_hash` gives it.
        agreement: figures of the second readers and of the planted controls.
    """

    verdicts: Sample
    sets: Mapping[str, Sample]
    about: Mapping[str, Mapping[str, Any]]
    agreement: Mapping[str, Any]

    def of(self, triples: Iterable[Triple]) -> Sample | None:
        """Return a probability sample of just this set with its verdicts; None if the reference run had no such set."""
        hashed = set_hash(triples)
        return next((self.sets[name] for name, about in self.about.items() if about["hash"] == hashed), None)


def set_hash(triples: Iterable[Triple]) -> str:
    """Return a hash that equal sets of triples share, in whatever order."""
    return unordered_hash(map(triple_id, set(triples)))


@cache
def load_readings(folder: Path = STARTER) -> Readings:
    """Return the readings in a folder; none where there is no `readings.json`."""
    if not (folder / "readings.json").is_file():
        return Readings({}, {}, {}, {})
    about = json.loads((folder / "readings.json").read_text(encoding="utf-8"))
    sets: dict[str, dict[Triple, bool]] = {name: {} for name in about["sets"]}
    verdicts: dict[Triple, bool] = {}
    with (folder / "readings.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            triple = Triple(row["head"], row["relation"], row["tail"])
            verdicts[triple] = int(row["verdicts"].split()[0]) > 0
            for name in filter(None, row["sets"].split("|")):
                sets[name][triple] = verdicts[triple]
    return Readings(verdicts, sets, about["sets"], about["agreement"])

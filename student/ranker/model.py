"""The ranker: two small towers on a frozen sentence encoder that rank known tails for a new event.

    score(event, relation, tail) = scale * <f(event, relation), g(tail)> + skip * cosine(event, tail)

f and g are the towers; event and tail are embeddings less the mean of all events and of all tails, at length 1. The
log-probability of a tail is the log-softmax of its score over all tails known for the relation. A ranker invents
nothing: it predicts links to phrases that are there already.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kg import strict_json
from kg.errors import InputError
from kg.model import Triple
from kg.progress import Bar
from kg.threads import adapt
from student.files import read_settings, write_settings
from student.interface import Encode, Prediction, check_request

_KNOWN = "known."  # before a relation's name in the file of tails, since one may be called as what else is there
HIDDEN, OUT = 512, 128
DROPOUT = 0.5
CHUNK_EVENTS = 256  # events scored at once: with 100,000 known tails a table of 100 MB


class Towers(nn.Module):
    """The trained part of a ranker.

    Args:
        size: length d of an embedding.
        relations: number of relations.
        events_mean, tails_mean: means of the embeddings in training, (d,).
    """

    def __init__(self, size: int, relations: int, events_mean: Tensor, tails_mean: Tensor) -> None:
        super().__init__()
        self.events_mean = nn.Buffer(events_mean)
        self.tails_mean = nn.Buffer(tails_mean)
        self.event_tower = _tower(size + relations)
        self.tail_tower = _tower(size)
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.skip = nn.Parameter(torch.tensor(10.0))
        self.relations = relations

    def forward(self, events: Tensor, relation: int, tails: Tensor) -> Tensor:
        """Return the scores (n, m) of embedded events (n, d) and tails (m, d) under the relation of this number."""
        events = nn.functional.normalize(events - self.events_mean, dim=1)
        tails = nn.functional.normalize(tails - self.tails_mean, dim=1)
        which = events.new_zeros(len(events), self.relations)
        which[:, relation] = 1
        unit = events.shape[1] ** 0.5  # towers learn only from inputs whose entries are about 1
        left = self.event_tower(torch.cat([events * unit, which], dim=1))  # (n, OUT)
        right = self.tail_tower(tails * unit)  # (m, OUT)
        scores: Tensor = self.scale * (left @ right.T) + self.skip * (events @ tails.T)
        return scores


def _tower(size: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, HIDDEN), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, OUT))


class Ranker:
    """Towers with the tails that they rank.

    Attributes:
        towers: the trained part.
        tails: texts of all known tails.
        vectors: their embeddings, (number of tails, d), in half precision as on disk.
        known: numbers of the tails known for each relation, in the vocabulary's order.
        relations: the relations that it was trained on.
        metrics: figures of its training.
        manifest: description of its training data.
        derived_from: None, since it has no base.
    """

    kind = "ranker"

    def __init__(
        self, towers: Towers, tails: Sequence[str], vectors: Tensor, known: Mapping[str, Tensor], encode: Encode
    ) -> None:
        self.towers = towers
        self.tails = tuple(tails)
        self.vectors = vectors
        self.known = dict(known)
        self.relations = tuple(known)
        self.metrics: dict[str, Any] = {}
        self.manifest: dict[str, Any] = {}
        self.derived_from: str | None = None
        self._encode = encode

    @classmethod
    def load(cls, folder: Path, encode: Encode) -> "Ranker":
        """Open a folder that `save` wrote.

        Raises:
            InputError: the files do not fit one another, or the encoder is another one than in training.
        """
        relations = read_settings(folder)["relations"]
        with (folder / "tails.jsonl").open(encoding="utf-8") as lines:
            tails = [json.loads(line) for line in lines]
        stored = load_file(folder / "tails.safetensors")
        vectors = stored.pop("vectors")
        stored = {name.removeprefix(_KNOWN): numbers for name, numbers in stored.items()}
        if len(vectors) != len(tails) or stored.keys() != set(relations):
            raise InputError(f"the files of the student in {folder} do not fit one another; train it again")
        size = vectors.shape[1]
        if (given := encode([tails[0]]).shape[1]) != size:
            raise InputError(
                f"the student in {folder} needs a sentence encoder of {size} numbers a text, not {given}; "
                "choose the encoder it was trained with, or train it again"
            )
        towers = Towers(size, len(relations), torch.zeros(size), torch.zeros(size))
        towers.load_state_dict(load_file(folder / "model.safetensors"))
        return cls(towers.eval(), tails, vectors, {name: stored[name] for name in relations}, encode)

    def save(self, folder: Path) -> None:
        """Write weights, known tails and their embeddings into a folder."""
        save_file(self.towers.state_dict(), folder / "model.safetensors")
        known = {f"{_KNOWN}{relation}": numbers for relation, numbers in self.known.items()}
        save_file({"vectors": self.vectors, **known}, folder / "tails.safetensors")
        with (folder / "tails.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(strict_json.write(tail) + "\n" for tail in self.tails)
        write_settings(folder, self.kind, self.relations)

    @torch.inference_mode()
    def predict(self, pairs: Sequence[tuple[str, str]], count: int) -> list[list[Prediction]]:
        """Return the `count` best of the known tails for each (event, relation), fewer where fewer are known.

        Raises:
            InputError: a relation that the student was not trained on, or `count` below 1.
        """
        check_request(self, [relation for _, relation in pairs], count)
        answers: list[list[Prediction]] = [[] for _ in pairs]
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for row, (_, relation) in enumerate(pairs):
            rows[relation].append(row)
        with Bar(total=len(pairs), unit="questions", desc="rank tails", leave=False) as bar:
            for relation, mine in rows.items():
                known = self.known[relation]
                for chunk in chunked(mine, CHUNK_EVENTS):
                    table = self._logprobs([pairs[row][0] for row in chunk], relation)  # (n, m)
                    best = table.topk(min(count, len(known)), dim=1)
                    for row, values, places in zip(chunk, best.values.tolist(), best.indices, strict=True):
                        texts = [self.tails[number] for number in known[places].tolist()]
                        answers[row] = [Prediction(*pair) for pair in zip(texts, values, strict=True)]
                    bar.update(len(chunk))
        return answers

    @torch.inference_mode()
    def logprobs(self, triples: Sequence[Triple]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the log-probability of each tail among the known ones, and 1, both (n,); 0 and 0 if unknown.

        Raises:
            InputError: a relation that the student was not trained on.
        """
        check_request(self, [triple.relation for triple in triples])
        sums, tokens = np.zeros(len(triples)), np.zeros(len(triples), dtype=np.int64)
        for relation in self.relations:
            places = {self.tails[number]: place for place, number in enumerate(self.known[relation].tolist())}
            rows: defaultdict[str, list[int]] = defaultdict(list)
            for row, triple in enumerate(triples):
                if triple.relation == relation and triple.tail in places:
                    rows[triple.head].append(row)
            for heads in chunked(rows, CHUNK_EVENTS):
                table = self._logprobs(heads, relation)
                for line, head in enumerate(heads):
                    sums[rows[head]] = table[line, [places[triples[row].tail] for row in rows[head]]].numpy()
                    tokens[rows[head]] = 1
        return sums, tokens

    def candidates(self, relation: str) -> list[str]:
        """Return the tails known for a relation that it was trained on, in the order of `table`."""
        return [self.tails[number] for number in self.known[relation].tolist()]

    @torch.inference_mode()
    def table(self, events: Sequence[str], relation: str) -> NDArray[np.float32]:
        """Return the log-probabilities (n, m) of n events and the m `candidates` of a relation."""
        table: NDArray[np.float32] = self._logprobs(events, relation).numpy()
        return table

    def _logprobs(self, events: Sequence[str], relation: str) -> Tensor:
        """Return the log-softmax (n, m) of n events over the m tails known for the relation."""
        adapt()
        vectors = torch.from_numpy(self._encode(events)).half().float()
        tails = self.vectors[self.known[relation]].float()
        scores: Tensor = self.towers(vectors, self.relations.index(relation), tails)
        return scores.log_softmax(dim=1)

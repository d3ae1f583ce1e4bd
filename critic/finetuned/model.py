"""The fine-tuned critic: a base with weights of its own for each fold of events.

A triple is read by the weights that learnt without its event's fold, several times with other names, and the logits are
averaged. The fast way reads it once, with weights of eight bits.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.calibration import logit_of
from critic.features import Floats
from critic.interface import ABOUT, Encode, FastCritic
from critic.kinds import FINETUNED, KINDS
from critic.model import folds_of
from critic.saved import FOLDS, WEIGHTS, opening, refuse_nothing, write
from kg import strict_json
from kg.errors import InputError
from kg.model import Triple

PASSES = 5  # over a triple, each with names of its own
_FORMAT = 1  # of the saved files
_PAGE_TRIPLES = 2_000  # read at a time
_DECIMALS = 6  # of a score
_BESIDE = "beside"


class Finetuned:
    """A critic that reads triples with a fine-tuned model, beside another critic where there is one.

    Attributes:
        role: a name in `critic.roles`.
        phrases: relation to its words; a triple of another relation is read with the relation's name.
        learnt: of each fold, the tensors that learnt, by name, and the logit of the share of the good.
        scale: weights of the logits of the base and of the critic beside, the intercept last.
    """

    def __init__(
        self,
        role: str,
        base: str,
        digest: str,
        phrases: Mapping[str, str],
        learnt: Sequence[tuple[Mapping[str, Any], float]],
        scale: Floats,
        beside: FastCritic | None = None,
    ) -> None:
        """Put a critic together; `critic.finetuned.training.train_finetuned` and `load` do.

        Args:
            role: a name in `critic.roles`.
            base: its name, as `critic.finetuned.base.open_base` takes it; opened when something is scored.
            digest: of the base's files.
            phrases: relation to its words.
            learnt: of each fold, the tensors that learnt, by name, and the logit of the share of the good.
            scale: weights of the logits of the base and of `beside`, the intercept last.
            beside: another critic.
        """
        self.role = role
        self.phrases = dict(phrases)
        self._base, self._digest = base, digest
        self.learnt = learnt
        self.scale = scale
        self._beside = beside
        self._opened: Any = None

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase; or the base is no longer what it was.
            NotReady: the base is not installed.
        """
        from critic.finetuned.reading import read  # noqa: PLC0415 - torch takes seconds

        beside = self._beside.score if self._beside else None
        return self._paged(triples, PASSES, lambda base: lambda texts: read(base.model, texts), beside)

    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return about the same, of one pass with weights of eight bits; errors as of `score`."""
        from critic.finetuned.reading import eight_bit, read  # noqa: PLC0415 - torch takes seconds

        def reader(base: Any) -> Callable[[Any], Floats]:
            model = eight_bit(base.merged())
            return lambda texts: read(model, texts)

        return self._paged(triples, 1, reader, self._beside.score_fast if self._beside else None)

    def _paged(
        self,
        triples: Sequence[Triple],
        passes: int,
        reader: Callable[[Any], Callable[[Any], Floats]],
        beside: Callable[[Sequence[Triple]], Floats] | None,
    ) -> NDArray[np.float64]:
        refuse_nothing(triples)
        dealt, found = folds_of(triples), np.empty(len(triples))
        for fold, (weights, prior) in enumerate(self.learnt):
            mine = np.flatnonzero(dealt == fold)
            if not len(mine):
                continue
            base = self._open()
            try:
                base.put(dict(weights))
            except (KeyError, RuntimeError) as error:
                raise InputError(f"the critic does not fit its base {self._base} ({error}); train it again") from error
            reads = reader(base)
            for start in range(0, len(mine), _PAGE_TRIPLES):
                page = mine[start : start + _PAGE_TRIPLES]
                found[page] = prior + self._mean([triples[row] for row in page], passes, base, reads)
        columns = [found] if beside is None else [found, logit_of(beside(triples))]
        logits = np.stack(columns, axis=1) @ self.scale[:-1] + self.scale[-1]
        return np.asarray(np.exp(-np.logaddexp(0, -logits)).round(_DECIMALS))

    def _mean(self, page: Sequence[Triple], passes: int, base: Any, reads: Callable[[Any], Floats]) -> Floats:
        """Return the mean logit of several passes; a text that is the same in all of them is read once."""
        from critic.finetuned.base import tokens_of  # noqa: PLC0415 - torch takes seconds
        from critic.finetuned.wording import worded  # noqa: PLC0415

        pairs = [
            worded(triple, self.phrases.get(triple.relation, ""), number) for number in range(passes) for triple in page
        ]
        distinct = list(dict.fromkeys(pairs))
        known = dict(zip(distinct, reads(tokens_of(base, distinct)), strict=True))
        return np.asarray(np.array([known[pair] for pair in pairs]).reshape(passes, len(page)).mean(axis=0))

    def _open(self) -> Any:
        from critic.finetuned.base import digest_of, open_base  # noqa: PLC0415 - torch takes seconds

        if self._opened is None:
            if digest_of(self._base) != self._digest:
                raise InputError(
                    f"the base {self._base} has other weights than those this critic learnt with; train it again"
                )
            self._opened = open_base(self._base, 0)
        return self._opened

    def save(self, folder: Path) -> None:
        """Write the critic into an existing folder: numbers and names only, and a folder for the critic beside."""
        from safetensors.torch import save_file  # noqa: PLC0415

        arrays = {
            f"{fold}.{name}": weight.contiguous()
            for fold, (weights, _) in enumerate(self.learnt)
            for name, weight in weights.items()
        }
        save_file(arrays, folder / WEIGHTS)
        about = {
            "kind": FINETUNED, "role": self.role, "format": _FORMAT, "base": self._base, "digest": self._digest,
            "phrases": self.phrases, "priors": [prior for _, prior in self.learnt], "scale": self.scale.tolist(),
            "beside": self._beside is not None,
        }  # fmt: skip
        write(folder, about)
        if self._beside:
            (folder / _BESIDE).mkdir()
            self._beside.save(folder / _BESIDE)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any], encode: Encode) -> "Finetuned":
        """Open a folder that `save` wrote; the base is opened when something is scored.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        from safetensors.torch import load_file  # noqa: PLC0415

        with opening(folder, about, _FORMAT):
            learnt: list[tuple[dict[str, Any], float]] = [({}, float(prior)) for prior in about["priors"]]
            for key, weight in load_file(folder / WEIGHTS).items():
                fold, _, name = key.partition(".")
                learnt[int(fold)][0][name] = weight
            scale = np.array(about["scale"], dtype=np.float64)
            beside: Any = None
            if about["beside"]:
                other = strict_json.read((folder / _BESIDE / ABOUT).read_bytes())
                beside = KINDS[other["kind"]].load(folder / _BESIDE, other, encode)
            phrases = {str(name): str(phrase) for name, phrase in about["phrases"].items()}
        if len(learnt) != FOLDS or len(scale) != 2 + bool(beside):
            raise InputError(f"the critic in {folder} is damaged (its parts do not fit together); train it again")
        return cls(about["role"], str(about["base"]), str(about["digest"]), phrases, learnt, scale, beside)

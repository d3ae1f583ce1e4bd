"""The kinds of critic: a table. A new kind is a file with its training and its model, and a row here.

The seam is `score`: triples to probabilities. The purpose of a critic is its role (`critic.roles`), whatever its kind.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from kg.language_model.weights import find_package

if TYPE_CHECKING:  # numpy has no part in a help page
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from critic.interface import Critic, Encode, TrainingSet


@dataclass(frozen=True, slots=True)
class CriticKind:
    """One kind of critic.

    Attributes:
        does: what such a critic goes by, in a few words.
        training: `module:name` of its training, a function from a `TrainingSet` to a critic. Named, not imported,
            so that a kind may bring in what it likes.
        loading: `module:name` of a function from a critic's folder, its `ABOUT` and the encoder to the critic.
        on_language_model: whether it goes by the language model that comes with pip, and so needs that installed.
        in_folds: whether no score depends on a verdict about its own event, so that the verdicts from which thresholds
            are chosen may teach, too.
        needs_verdicts: whether it learns from verdicts at all.
        any_model: whether it goes by any language model that is named, and by the one from pip where none is.
        sharing: `module:name` of a context in which critics ask the same things once, if there is one.
        takes_base: whether it starts from a pre-trained model that the user may choose.
        embeds: whether it looks at the sentence encoder's vectors.
        format: of its files; a critic of another one is another critic.
    """

    does: str
    training: str
    loading: str
    on_language_model: bool = False
    in_folds: bool = False
    needs_verdicts: bool = True
    any_model: bool = False
    sharing: str = ""
    takes_base: bool = False
    embeds: bool = True
    format: int = 1

    def train(self, given: TrainingSet) -> Critic:
        """Train a critic of this kind.

        Raises:
            NotReady: the kind needs more than there is.
        """
        training: Callable[[TrainingSet], Critic] = resolve_name(self.training)
        return training(given)

    def load(self, folder: Path, about: Mapping[str, Any], encode: Encode) -> Critic:
        """Open the folder of a critic of this kind.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        loading: Callable[[Path, Mapping[str, Any], Encode], Critic] = resolve_name(self.loading)
        return loading(folder, about, encode)

    def share(self, folder: Path | None = None) -> AbstractContextManager[None]:
        """Return a context in which several critics cost less.

        Args:
            folder: keeps what makes the next such context cost less; None keeps nothing.
        """
        if not self.sharing:
            return nullcontext()
        sharing: Callable[[Path | None], AbstractContextManager[None]] = resolve_name(self.sharing)
        return sharing(folder)


BLEND, KERNEL, LIKELIHOOD, FINETUNED = "blend", "kernel", "likelihood", "finetuned"
ENSEMBLE = "ensemble"
UNSUPERVISED, NLL, MEAN_NLL = "unsupervised", "nll", "mean-nll"

KINDS: dict[str, CriticKind] = {
    BLEND: CriticKind(
        "scores learnt from the teacher's triples, and judgements",
        "critic.training:train_blend",
        "critic.model:Blend.load",
    ),
    KERNEL: CriticKind(
        "the same, and verdicts on triples near in meaning, for thousands of verdicts",
        "critic.kernel.training:train_kernel",
        "critic.kernel.model:Kernel.load",
        in_folds=True,
    ),
    LIKELIHOOD: CriticKind(
        "the blend's scores, and how likely a language model finds the tail",
        "critic.likelihood.training:train_likelihood",
        "critic.likelihood.model:Likelihood.load",
        on_language_model=True,
        in_folds=True,
        sharing="critic.likelihood.view:shared",
        format=2,
    ),
    ENSEMBLE: CriticKind(
        "the same, and verdicts on triples that the language model reads alike, for thousands of verdicts",
        "critic.ensemble.training:train_ensemble",
        "critic.ensemble.model:Ensemble.load",
        on_language_model=True,
        in_folds=True,
        sharing="critic.likelihood.view:shared",
    ),
    UNSUPERVISED: CriticKind(
        "no judgement: how much likelier head and tail make each other, by any language model",
        "critic.unsupervised.training:train_unsupervised",
        "critic.unsupervised.model:Unsupervised.load",
        needs_verdicts=False,
        any_model=True,
        sharing="critic.unsupervised.likelihoods:shared",
    ),
    NLL: CriticKind(
        "no judgement: how likely its sentence is; a baseline",
        "critic.unsupervised.training:train_nll",
        "critic.unsupervised.model:Unsupervised.load",
        needs_verdicts=False,
        any_model=True,
        sharing="critic.unsupervised.likelihoods:shared",
        embeds=False,
    ),
    MEAN_NLL: CriticKind(
        "no judgement: how likely a token of it is; a baseline",
        "critic.unsupervised.training:train_mean_nll",
        "critic.unsupervised.model:Unsupervised.load",
        needs_verdicts=False,
        any_model=True,
        sharing="critic.unsupervised.likelihoods:shared",
        embeds=False,
    ),
    FINETUNED: CriticKind(
        "a pre-trained model fine-tuned on judgements",
        "critic.finetuned.training:train_finetuned",
        "critic.finetuned.model:Finetuned.load",
        in_folds=True,
        takes_base=True,
    ),
}
"""Name to kind."""


def noisy_kind() -> str:
    """Return the kind for what a noisy teacher wrote: by likelihood where the language model is installed."""
    return LIKELIHOOD if find_package() else BLEND

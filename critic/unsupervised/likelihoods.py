"""What language models say of triples in words: how likely head and tail are, each with the other and without it.

First a causal model ranks the sentences that a triple can make by their coherency, which is their log-probability over
the fifth root of their length; only the best is asked about. Then a masked model guesses the phrases of that sentence
(`kg.language_model.masked`), or a causal one its second phrase, after the first and after a word that says nothing.
Articles at the beginning of a phrase are never asked for. Davison et al. 2019, section 3; the causal way is our own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from critic.features import Floats
from critic.unsupervised.wording import ARTICLES, Wording, wordings
from kg.errors import InputError
from kg.language_model.masked import Hidden, MaskedModel, is_masked, open_masked_model, pseudo_likelihoods
from kg.language_model.opening import DEFAULT, LanguageModel, fingerprint, open_language_model
from kg.language_model.precision import fast_dtype
from kg.language_model.scoring import logprobs, tokens
from kg.model import Triple

COLUMNS = 5
"""Numbers of a triple: those of `Likelihoods.measure`."""

_LENGTH_POWER = 0.2  # of the sentences' ranking
_PAGE = 256  # triples whose sentences are ranked together
_ANYTHING, _ANY_EVENT = "something", "something happens"  # in the place of a phrase that is not known


class Likelihoods:
    """The models of a critic, and the sentences that it makes of triples.

    Attributes:
        templates: relation to its templates, as `critic.unsupervised.wording.templates_of` has them.
        models: name of the model that is asked, and of the causal one that ranks sentences.
        digests: what these are known by (`kg.language_model.opening.fingerprint`).
    """

    def __init__(
        self,
        templates: Mapping[str, Sequence[str]],
        models: tuple[str, str],
        digests: tuple[str, str] | None = None,
    ) -> None:
        """Choose relations and models; these are opened when they are first asked.

        Args:
            templates: relation to its templates.
            models: names, each a folder, a name on a hub, or `kg.language_model.opening.DEFAULT`.
            digests: of the models of the training; None in training.
        """
        self.templates = {name: tuple(some) for name, some in templates.items()}
        self.models = models
        self.digests = digests or _fingerprints(models)
        self._is_checked = digests is None  # a sum over all weights takes a second or more

    def measure(self, triples: Sequence[Triple]) -> Floats:
        """Return what the models say of triples: (n, `COLUMNS`); NaN where the relation has no template.

        The columns are summed log-probabilities of the phrases asked for, with the other phrase and without it, the
        number of their tokens, the summed log-probability of the whole sentence, and its number of tokens. Of a masked
        model the first three are means over both phrases.

        Raises:
            NotReady: the language model that comes with pip is asked for, and not installed.
            InputError: a model is another one than in training, or cannot be asked.
        """
        found = np.full((len(triples), COLUMNS), np.nan)
        known = [place for place, triple in enumerate(triples) if triple.relation in self.templates]
        if known and not self._is_checked and _fingerprints(self.models) != self.digests:
            raise InputError("a language model has other weights than in this critic's training; train it again")
        self._is_checked = self._is_checked or bool(known)
        told = {} if _Told.shared is None else _Told.shared
        asked = {place: (self.digests, triples[place], self.templates[triples[place].relation]) for place in known}
        new = list({asked[place]: place for place in known if asked[place] not in told}.values())
        for start in range(0, len(new), _PAGE):
            some = new[start : start + _PAGE]
            said = self._asked([triples[place] for place in some])
            told |= zip((asked[place] for place in some), said, strict=True)
        for place in known:
            found[place] = told[asked[place]]
        return found

    def _asked(self, triples: Sequence[Triple]) -> Floats:
        ranked = rank(
            opened_causal(self.models[1]), [wordings(triple, self.templates[triple.relation]) for triple in triples]
        )
        best = [one.wording for one in ranked]
        asked = (
            guessed(opened_masked(self.models[0]), best)
            if self.models[0] != DEFAULT and is_masked(self.models[0])
            else foretold(opened_causal(self.models[0]), best)
        )
        whole = np.array([(one.logprob, one.tokens) for one in ranked])
        return np.concatenate([asked, whole], axis=1)


class _Told:
    """What models have said while `shared` holds: digests, triple and templates to `Likelihoods.measure`'s numbers."""

    shared: dict[tuple[tuple[str, str], Triple, tuple[str, ...]], Floats] | None = None


@contextmanager
def shared(_folder: Path | None = None) -> Iterator[None]:
    """Ask about each triple once while the block runs, whichever critic asks; answers move by rounding alone.

    Args:
        _folder: what other kinds keep answers in; these are kept for the block alone.
    """
    if _Told.shared is not None:  # within another such block
        yield
        return
    _Told.shared = {}
    try:
        yield
    finally:
        _Told.shared = None


class Ranked(NamedTuple):
    """The most coherent sentence of a triple, its summed log-probability, and its number of tokens."""

    wording: Wording
    logprob: float
    tokens: int


def rank(opened: LanguageModel, choices: Sequence[Sequence[Wording]]) -> list[Ranked]:
    """Return the most coherent of each triple's sentences; of equal ones the first.

    Args:
        opened: a causal model.
        choices: for each triple at least one sentence.
    """
    start = _start(opened)
    flat = list(dict.fromkeys(wording for some in choices for wording in some))
    cut = [sum(pieces, ()) for pieces in _pieces(opened.tokenizer, flat)]
    found = dict(zip(flat, zip(logprobs(opened.model, [((start,), ids) for ids in cut]), map(len, cut), strict=True),
                     strict=True))  # fmt: skip

    def coherency(wording: Wording) -> float:
        total, length = found[wording]
        return float(total / length**_LENGTH_POWER)

    best = [max(some, key=coherency) for some in choices]
    return [Ranked(wording, *found[wording]) for wording in best]


def foretold(opened: LanguageModel, sentences: Sequence[Wording]) -> Floats:
    """Return what a causal model says of each sentence's second phrase: (n, 3), as the first columns of `measure`."""
    start = _start(opened)
    sentences = [_article_given(sentence) for sentence in sentences]
    without = [_without_first(sentence) for sentence in sentences]
    cut, bare = _pieces(opened.tokenizer, sentences), _pieces(opened.tokenizer, without)
    asked = [((start, *sum(one[:3], ())), one[3]) for one in [*cut, *bare]]
    distinct = list(dict.fromkeys(asked))
    known = dict(zip(distinct, logprobs(opened.model, distinct), strict=True))
    totals = np.array([known[one] for one in asked]).reshape(2, -1)
    return np.column_stack([*totals, [len(one[3]) for one in cut]])


def guessed(opened: MaskedModel, sentences: Sequence[Wording]) -> Floats:
    """Return what a masked model says of each sentence's phrases: (n, 3), as the first columns of `measure`."""
    tokenizer = opened.tokenizer
    questions: list[Hidden] = []
    lengths = []
    for pieces in _pieces(tokenizer, sentences):
        ids = (tokenizer.cls_token_id, *sum(pieces, ()), tokenizer.sep_token_id)
        ends = np.cumsum([1, *map(len, pieces)]).tolist()
        first, second = (_words(tokenizer, ids, ends[place], ends[place + 1]) for place in (1, 3))
        both = (*first, *second)
        questions += [
            Hidden(ids, second, second), Hidden(ids, first, first), Hidden(ids, both, second), Hidden(ids, both, first)
        ]  # fmt: skip
        lengths.append(len(both) / 2)
    found = np.array(pseudo_likelihoods(opened, questions)).reshape(-1, 2, 2).mean(axis=2)
    return np.column_stack([found, lengths])


def _words(tokenizer: Any, ids: Sequence[int], start: int, end: int) -> tuple[int, ...]:
    """Return the places of a phrase's tokens but for articles; all of them where there is nothing else."""
    places = range(start, end)
    names = tokenizer.convert_ids_to_tokens([ids[place] for place in places])
    words = [place for place, name in zip(places, names, strict=True) if name.lstrip("▁Ġ").lower() not in ARTICLES]
    return tuple(words or places)


def _article_given(sentence: Wording) -> Wording:
    """Return the same sentence cut so that an article before its second phrase is given with what stands before."""
    article, _, rest = sentence.second.partition(" ")
    if article.lower() not in ARTICLES or not rest:
        return sentence
    return sentence._replace(between=f"{sentence.between} {article}".strip(), second=rest)


def _without_first(sentence: Wording) -> Wording:
    """Return the sentence with a word that says nothing in the place of its first phrase."""
    is_event = len(sentence.first.split()) > 1 and sentence.first[:1].isupper()
    return sentence._replace(first=_ANY_EVENT if is_event else _ANYTHING)


def _pieces(tokenizer: Any, sentences: Sequence[Wording]) -> list[tuple[tuple[int, ...], ...]]:
    """Return the tokens of each piece of each sentence."""
    pieces = [piece for sentence in sentences for piece in sentence.pieces]
    cut = tokens(tokenizer, pieces, special=False)
    return [tuple(cut[start : start + 5]) for start in range(0, len(cut), 5)]


def _fingerprints(models: tuple[str, str]) -> tuple[str, str]:
    first = fingerprint(models[0])
    return first, first if models[1] == models[0] else fingerprint(models[1])


def _start(opened: LanguageModel) -> int:
    """Return the token before a sentence, after which its first token can be foretold."""
    tokenizer = opened.tokenizer
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if start is None:
        raise InputError(f"{opened.name} has no token for the beginning of a text")
    return int(start)


@lru_cache(maxsize=2)
def opened_causal(name: str) -> LanguageModel:
    """Return a causal model in the numbers that are fastest here; a process opens it once."""
    found = open_language_model(name, "critic's language model")
    found.model.to(fast_dtype())
    return found


@lru_cache(maxsize=1)
def opened_masked(name: str) -> MaskedModel:
    """Return a masked model; a process opens it once."""
    return open_masked_model(name)

"""What a language model thinks of triples: how likely the tail is, with and without the event, and states.

A triple is asked in words: "Alex shears a sheep, because Alex wanted" and then " to save the wool.", with the phrase
that the vocabulary has for the relation, and names for persons, which are likelier English than "PersonX". Only the
tail's tokens count (`kg.language_model.scoring`). States are what the middle of its layers makes of the tail: a
regression reads from them whether a tail fits better than from how likely it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from critic.features import Floats
from kg import strict_json
from kg.errors import InputError
from kg.identity import triple_id
from kg.language_model.opening import DEFAULT, LanguageModel, open_language_model
from kg.language_model.precision import fast_dtype
from kg.language_model.scoring import Question, read
from kg.languages import begun, named
from kg.model import Triple
from kg.workspace import new_file

_ANSWERS = "language-model.safetensors"  # name of the file of answers: what was asked, as JSON, and what was said
NUMBERS = 7  # that are made of what the model says


class Answer(NamedTuple):
    """What a model said of a tail.

    Attributes:
        given: summed log-probability of its tokens after event and relation.
        alone: the same after the relation alone.
        tokens: how many they are.
        state: (width,), what `read` says of it.
    """

    given: float
    alone: float
    tokens: float
    state: NDArray[np.float32]


class View:
    """A language model that is asked about the relations of a critic.

    Attributes:
        phrases: relation to the words between event and tail.
        known: key of a triple (`kg.identity.triple_id`) to what was said of its tail in training, so that nothing is
            asked again; what is learnt later is not kept, since numbers move by rounding with what is asked beside.
    """

    def __init__(self, phrases: Mapping[str, str], digest: str | None = None) -> None:
        """Choose the relations; the model is opened when it is first asked.

        Args:
            phrases: relation to the words between event and tail.
            digest: of the model of the training; None in training.
        """
        self.phrases = dict(phrases)
        self.known: dict[str, Answer] = {}
        self._digest = digest

    @property
    def digest(self) -> str:
        """The digest of the model."""
        return self._digest or opened(DEFAULT).digest

    def look(self, triples: Sequence[Triple]) -> tuple[Floats, Floats]:
        """Return what the model thinks of triples: (n, `NUMBERS`) and (n, width); NaN where the relation has no phrase.

        The first columns are mean and sum of the log-probabilities of the tail's tokens after event and relation, the
        same after the relation alone, the differences of means and of sums, and the logarithm of the number of tokens.
        The others are states; without any relation with a phrase there are none.

        Raises:
            NotReady: the language model is not installed.
            InputError: it is another one than in training.
        """
        keys = [triple_id(triple) if triple.relation in self.phrases else "" for triple in triples]
        new = {key: triple for key, triple in zip(keys, triples, strict=True) if key and key not in self.known}
        found = self.known | dict(zip(new, self._ask(list(new.values())), strict=True))
        width = next((len(answer.state) for answer in found.values()), 0)
        nobody = Answer(np.nan, np.nan, np.nan, np.full(width, np.nan, np.float32))
        answers = [found.get(key, nobody) for key in keys]
        raw = np.array([answer[:3] for answer in answers], dtype=np.float64).reshape(-1, 3)
        given, alone, tokens = raw.T
        gain = given - alone
        numbers = np.stack([given / tokens, given, alone / tokens, alone, gain / tokens, gain, np.log(tokens)], axis=1)
        return numbers, np.array([answer.state for answer in answers], dtype=np.float64).reshape(len(answers), width)

    def learn(self, triples: Sequence[Triple]) -> None:
        """Ask about triples, and keep the answers."""
        asked = [triple for triple in dict.fromkeys(triples) if triple.relation in self.phrases]
        self.known |= dict(zip(map(triple_id, asked), self._ask(asked), strict=True))

    def _ask(self, triples: Sequence[Triple]) -> list[Answer]:
        """Return what the model says of each tail."""
        if not triples:
            return []
        if (told := _Told.shared) is not None:
            asked = [(self.digest, self._question(triple)) for triple in triples]
            new = [row for row, question in enumerate(asked) if question not in told]
            _Told.shared = None  # ask for once
            try:
                told |= zip((asked[row] for row in new), self._ask([triples[row] for row in new]), strict=True)
            finally:
                _Told.shared = told
            return [told[question] for question in asked]
        found = opened(DEFAULT)
        if self._digest not in (None, found.digest):
            raise InputError("the language model has other weights than those this critic learnt with; train it again")
        said = read(found.model, found.tokenizer, map(self._question, triples), ending=".")
        return [Answer(one.conditional, one.unconditional, float(one.tokens), state) for one, state in said]

    def _question(self, triple: Triple) -> Question:
        phrase = self.phrases[triple.relation].strip() or triple.relation
        head, phrase, tail = (named(text, triple.lang) for text in (triple.head, phrase, triple.tail))
        return Question(head, begun("", phrase), tail)


def arrays_of(answers: Sequence[Answer]) -> dict[str, NDArray[Any]]:
    """Return answers as they are kept: `numbers`, (n, 3), and `states`, (n, width)."""
    width = len(answers[0].state) if answers else 0
    return {
        "numbers": np.array([answer[:3] for answer in answers], dtype=np.float64).reshape(-1, 3),
        "states": np.array([answer.state for answer in answers], dtype=np.float32).reshape(len(answers), width),
    }


def answers_in(arrays: Mapping[str, NDArray[Any]]) -> list[Answer]:
    """Return the answers of which `arrays_of` made arrays.

    Raises:
        LookupError, ValueError: they are damaged.
    """
    rows = zip(arrays["numbers"].tolist(), arrays["states"], strict=True)
    return [Answer(given, alone, tokens, state) for (given, alone, tokens), state in rows]


class _Told:
    """What models have said while `shared` holds, by their digests and the questions; None otherwise."""

    shared: dict[tuple[str, Question], Answer] | None = None


@contextmanager
def shared(folder: Path | None = None) -> Iterator[None]:
    """Ask each question once while the block runs, whichever critic asks; answers move by rounding alone.

    Args:
        folder: has the answers of earlier blocks, and keeps those of one that ends well; None keeps none, and within
            another block is that block.
    """
    if _Told.shared is not None and not folder:  # within another such block
        yield
        return
    file = folder / _ANSWERS if folder else None
    _Told.shared = _kept(file) if file else {}
    before = len(_Told.shared)
    try:
        yield
        if file and len(_Told.shared) > before:
            asked = strict_json.write([[digest, *question] for digest, question in _Told.shared]).encode()
            content = arrays_of(list(_Told.shared.values())) | {"asked": np.frombuffer(asked, np.uint8)}
            with new_file(file) as draft:
                draft.write_bytes(save(content))
    finally:
        _Told.shared = None


def _kept(file: Path) -> dict[tuple[str, Question], Answer]:
    """Return the answers in a file; none of one that is damaged, for all of them can be asked for again."""
    try:
        stored = load(file.read_bytes())
        numbers, states = stored["numbers"], stored["states"]
        if (numbers.shape[1:], states.ndim) != ((3,), 2) or not all(
            np.isfinite(one).all() for one in (numbers, states)
        ):
            return {}
        asked = strict_json.read(stored["asked"].tobytes().decode())
        return {
            (str(digest), Question(event, phrase, tail)): answer
            for (digest, event, phrase, tail), answer in zip(asked, answers_in(stored), strict=True)
        }
    except (OSError, ValueError, TypeError, LookupError, SafetensorError):
        return {}


@lru_cache(maxsize=1)
def opened(name: str) -> LanguageModel:
    """Return the language model in the numbers that are fastest here; a process opens it once."""
    found = open_language_model(name, "critic's language model")
    found.model.to(fast_dtype())
    return found

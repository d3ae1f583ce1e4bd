"""What a language model thinks of triples, as numbers: how likely the tail is, with and without the event.

A triple is asked in words: "Alex shears a sheep, because Alex wanted" and then " to save the wool.", with the phrase
that the vocabulary has for the relation, and names for persons, which are likelier English than "PersonX". Only the
tail's tokens count (`kg.language_model.scoring`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from critic.features import Floats
from kg import strict_json
from kg.errors import InputError
from kg.identity import triple_id
from kg.language_model.opening import DEFAULT, LanguageModel, open_language_model
from kg.language_model.precision import fast_dtype
from kg.language_model.scoring import Question, weigh
from kg.languages import begun, named
from kg.model import Triple
from kg.workspace import new_file

_ANSWERS = "language-model.jsonl"  # name of the file of answers: digest, event, phrase, tail, three numbers
NUMBERS = 7  # that are made of what the model says


class View:
    """A language model that is asked about the relations of a critic.

    Attributes:
        phrases: relation to the words between event and tail.
        known: key of a triple (`kg.identity.triple_id`) to what `weigh` said of its tail in training, so that nothing
            is asked again; what is learnt later is not kept, since numbers move by rounding with what is asked beside.
    """

    def __init__(self, phrases: Mapping[str, str], digest: str | None = None) -> None:
        """Choose the relations; the model is opened when it is first asked.

        Args:
            phrases: relation to the words between event and tail.
            digest: of the model of the training; None in training.
        """
        self.phrases = dict(phrases)
        self.known: dict[str, tuple[float, ...]] = {}
        self._digest = digest

    @property
    def digest(self) -> str:
        """The digest of the model."""
        return self._digest or opened(DEFAULT).digest

    def numbers(self, triples: Sequence[Triple]) -> Floats:
        """Return what the model thinks of triples: (n, `NUMBERS`); NaN where the relation has no phrase.

        The columns are mean and sum of the log-probabilities of the tail's tokens after event and relation, the same
        after the relation alone, the differences of means and of sums, and the logarithm of the number of tokens.

        Raises:
            NotReady: the language model is not installed.
            InputError: it is another one than in training.
        """
        keys = [triple_id(triple) if triple.relation in self.phrases else "" for triple in triples]
        new = {key: triple for key, triple in zip(keys, triples, strict=True) if key and key not in self.known}
        found = self.known | dict(zip(new, self._ask(list(new.values())), strict=True))
        raw = np.array([found.get(key, (np.nan,) * 3) for key in keys], dtype=np.float64).reshape(-1, 3)
        given, alone, tokens = raw.T
        gain = given - alone
        return np.stack([given / tokens, given, alone / tokens, alone, gain / tokens, gain, np.log(tokens)], axis=1)

    def learn(self, triples: Sequence[Triple]) -> None:
        """Ask about triples, and keep the answers."""
        asked = [triple for triple in dict.fromkeys(triples) if triple.relation in self.phrases]
        self.known |= dict(zip(map(triple_id, asked), self._ask(asked), strict=True))

    def _ask(self, triples: Sequence[Triple]) -> list[tuple[float, ...]]:
        """Return summed log-probabilities with and without the event, and the number of tokens, of each tail."""
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
        questions = map(self._question, triples)
        return [tuple(map(float, one)) for one in weigh(found.model, found.tokenizer, questions, ending=".")]

    def _question(self, triple: Triple) -> Question:
        phrase = self.phrases[triple.relation].strip() or triple.relation
        head, phrase, tail = (named(text, triple.lang) for text in (triple.head, phrase, triple.tail))
        return Question(head, begun("", phrase), tail)


class _Told:
    """What models have said while `shared` holds, by their digests and the questions; None otherwise."""

    shared: dict[tuple[str, Question], tuple[float, ...]] | None = None


@contextmanager
def shared(folder: Path | None = None) -> Iterator[None]:
    """Ask each question once while the block runs, whichever critic asks; answers move by rounding alone.

    Args:
        folder: has the answers of earlier blocks, and keeps those of one that ends well; None keeps none.
    """
    file = folder / _ANSWERS if folder else None
    _Told.shared = _kept(file) if file else {}
    before = len(_Told.shared)
    try:
        yield
        if file and len(_Told.shared) > before:
            with new_file(file) as draft, draft.open("w", encoding="utf-8") as target:
                for (digest, question), answer in _Told.shared.items():
                    target.write(strict_json.write([digest, *question, *answer]) + "\n")
    finally:
        _Told.shared = None


def _kept(file: Path) -> dict[tuple[str, Question], tuple[float, ...]]:
    """Return the answers in a file; none of one that is damaged, for all of them can be asked for again."""
    try:
        with file.open(encoding="utf-8", newline="\n") as lines:
            rows = [strict_json.read(line) for line in lines]
        return {
            (str(digest), Question(event, phrase, tail)): (float(given), float(alone), float(tokens))
            for digest, event, phrase, tail, given, alone, tokens in rows
        }
    except (FileNotFoundError, ValueError, TypeError):
        return {}


@lru_cache(maxsize=1)
def opened(name: str) -> LanguageModel:
    """Return the language model in the numbers that are fastest here; a process opens it once."""
    found = open_language_model(name, "critic's language model")
    found.model.to(fast_dtype())
    return found

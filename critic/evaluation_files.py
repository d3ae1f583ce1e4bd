"""The files of an evaluation: judgements and a teacher's triples, read without a graph, bad rows told."""

from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from critic.judgements import read_file, vocabulary_of
from critic.verdicts import Verdicts, split_in, verdicts_on
from kg.exchange.formats import guess_format, reading
from kg.lines import Rejected, read_lines
from kg.model import Judgement, Triple
from kg.vocabulary import Vocabulary


class _Bad:
    """Rows of one file that cannot be used."""

    def __init__(self) -> None:
        self.count = 0
        self.first: Rejected | None = None

    def add(self, rejected: Rejected) -> None:
        self.first = self.first or rejected
        self.count += 1

    def told(self, path: Path) -> list[str]:
        if self.first is None:
            return []
        return [f"{self.count:,} rows of {path} rejected; line {self.first.line}: {self.first.reason}"]


def read_verdicts(
    paths: Sequence[Path], vocabulary: Vocabulary, lang: str, splits: Container[str] | None, bad: list[str]
) -> Verdicts:
    """Return the verdicts that the judgements of files come to, one a triple.

    Args:
        paths: of any format that `critic.judgements` reads.
        vocabulary: the relations of files that bring none.
        lang: BCP 47 tag of texts that have none of their own.
        splits: of the events that count, by their keys; None takes all.
        bad: grows by a line for each file with rows that cannot be used.

    Raises:
        InputError: a file cannot be read.
    """
    judgements: list[Judgement] = []
    for path in paths:
        rejected = _Bad()
        judgements += read_file(path, vocabulary_of(path) or vocabulary, lang, rejected)
        bad += rejected.told(path)
    return verdicts_on([one for one in judgements if splits is None or split_in(one.triple) in splits])


def read_corpus(
    paths: Sequence[Path], vocabulary: Vocabulary, lang: str, splits: Container[str] | None, bad: list[str]
) -> list[Triple]:
    """Return the distinct triples of files in any format that `kg ingest load` takes; arguments as `read_verdicts`.

    Raises:
        InputError: a file cannot be read.
    """
    found: dict[Triple, None] = {}
    for path in paths:
        rejected = _Bad()
        read = reading(guess_format(path))
        rows = read(path=path, lines=read_lines(path), vocabulary=vocabulary, lang=lang, dropped=Counter())
        for row in rows:
            if isinstance(row, Rejected):
                rejected.add(row)
            elif splits is None or (row.split or split_in(row.triple)) in splits:
                found[row.triple] = None
        bad += rejected.told(path)
    return list(found)

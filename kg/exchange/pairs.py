"""COMET-ATOMIC-2020's file pairs: `NAME.source` with what is given and `NAME.target` with the tails, a line each.

    PersonX misses the bus xWant [GEN]         to call a taxi

A line of the one goes with the line of the same number of the other. The last word before `[GEN]` is the relation. The
form has no place for a split, which is the file's name (`train.source`), nor for languages, scores or runs.

Source: Hwang et al. 2021, appendix C, and the published code's training files.
"""

import gzip
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from kg.errors import InputError
from kg.exchange.rows import Rows, make_triple, read_split
from kg.exchange.target import export_file, open_text
from kg.exchange.tsv import BREAK, MARK
from kg.lines import Line, Rejected, read_lines
from kg.model import Assertion, Edge, Split
from kg.vocabulary import Vocabulary

SOURCE, TARGET = ".source", ".target"
GEN = "[GEN]"


def partner(path: Path) -> Path:
    """Return the other file of a pair.

    Raises:
        InputError: the name ends in neither `.source` nor `.target`.

    >>> partner(Path("train.source")), partner(Path("train.target.gz"))
    (PosixPath('train.target'), PosixPath('train.source.gz'))
    """
    for own, other in ((SOURCE, TARGET), (TARGET, SOURCE)):
        for ending in ("", ".gz"):
            if path.name.endswith(own + ending):
                return path.with_name(path.name.removesuffix(own + ending) + other + ending)
    raise InputError(f"{path} is no file of a pair; their names end in {SOURCE} and {TARGET}")


def read_pairs(path: Path, vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the pairs of two files.

    Args:
        path: one of them; the other one lies beside it.
        vocabulary: relations that may occur.
        lang: language of the texts.

    Raises:
        InputError: the other file is missing, or has another number of lines.
    """
    files = {ending: one for one in (path, partner(path)) for ending in (SOURCE, TARGET) if ending in one.suffixes}
    for one in files.values():
        if not one.is_file():
            raise InputError(f"{one} is missing; the lines of {path.name} go with its lines")
    counts = {one.name: _count(one) for one in files.values()}
    if len({*counts.values()}) > 1:
        told = " and ".join(f"{name} has {count:,} lines" for name, count in counts.items())
        raise InputError(f"{told}; which line goes with which is unknown")
    split = _split_of(path)
    for source, target in zip_longest(
        *(_numbered(files[ending]) for ending in (SOURCE, TARGET)), fillvalue=Line(0, "")
    ):
        if isinstance(source, Rejected) or isinstance(target, Rejected):
            yield next(one for one in (source, target) if isinstance(one, Rejected))
            continue
        if not source.text and not target.text:
            continue
        try:
            yield _assertion(source.text, target.text, vocabulary, lang, split)
        except InputError as error:
            yield Rejected(max(source.number, target.number), str(error), f"{source.text}\t{target.text}")


def write_pairs(edges: Iterable[Edge], path: Path) -> int:
    """Write triples as a pair of files.

    Args:
        edges: what to write, in this order.
        path: one file of the pair, whose name ends in `.source` or `.target`; the other one is made beside it.

    Returns:
        The number of triples written.

    Raises:
        InputError: the name is of no pair, a text has a line break, or a file cannot be written; none is made then.
    """
    pair = sorted((path, partner(path)), key=lambda one: SOURCE not in one.suffixes)
    count = 0
    with (
        export_file(pair[0]) as first, export_file(pair[1]) as second,
        open_text(first, pair[0]) as source, open_text(second, pair[1]) as target,
    ):  # fmt: skip
        for edge in edges:
            triple = edge.triple
            if BREAK.search(triple.head) or BREAK.search(triple.tail):
                raise InputError(
                    f"({triple.head[:80]!r}, {triple.relation}, {triple.tail[:80]!r}) has a tab or line break, which "
                    "file pairs cannot hold; export jsonl or parquet, or leave it out"
                )
            if not count:  # or a reader would take a text's own mark for the file's
                source.write(MARK * triple.head.startswith(MARK))
                target.write(MARK * triple.tail.startswith(MARK))
            source.write(f"{triple.head} {triple.relation} {GEN}\n")
            target.write(f"{triple.tail}\n")
            count += 1
    return count


def _count(path: Path) -> int:
    """Return how many lines a file has, blank ones included."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        return sum(1 for _ in file)


def _numbered(path: Path) -> Iterator[Line | Rejected]:
    """Yield a slot for each line up to the last that has text, also for blank ones, so that pairs stay together."""
    due = 1
    for line in read_lines(path):
        number = line.line if isinstance(line, Rejected) else line.number
        yield from (Line(empty, "") for empty in range(due, number))
        yield line
        due = number + 1


def _assertion(source: str, target: str, vocabulary: Vocabulary, lang: str, split: Split | None) -> Assertion:
    given = source.rstrip()
    if not given.endswith(f" {GEN}"):
        raise InputError(f"{source[:80]!r} does not end in {GEN}, as `head relation {GEN}` does")
    head, _, relation = given.removesuffix(f" {GEN}").rpartition(" ")
    return Assertion(make_triple(head, relation, target, vocabulary, lang), split=split)


def _split_of(path: Path) -> Split | None:
    try:
        return read_split(path.name.partition(".")[0])
    except InputError:
        return None

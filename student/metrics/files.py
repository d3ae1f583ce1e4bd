"""Outputs, references and prefixes in the form in which COMET-ATOMIC-2020 published its own.

    outputs      {"head": …, "relation": …, "tails": […], "generations": […], "greedy": …}   a line
    references   head @@ relation<TAB>reference| reference| reference
    prefixes     the same, of which only what stands before the tab counts
    training     head<TAB>relation<TAB>tail, or relation<TAB>head<TAB>tail as Li et al. (2016) have it

A line that cannot be used is an error that names it: a system is measured on all of its outputs or not at all.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kg import strict_json
from kg.errors import InputError
from kg.lines import Rejected, read_lines

_SEPARATOR = "@@"
_COLUMNS = 3

Pair = tuple[str, str]
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Output:
    """What a system says to a prefix.

    Attributes:
        head: the event.
        relation: the relation asked for.
        greedy: the tail that it says at once; may be empty.
        generations: the candidates of its beam, best first; may be none.
        tails: references that came with the line; may be none.
    """

    head: str
    relation: str
    greedy: str
    generations: tuple[str, ...] = ()
    tails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An output beside the references of its prefix, of which there is at least one."""

    head: str
    relation: str
    greedy: str
    generations: tuple[str, ...]
    references: tuple[str, ...]


def read_outputs(path: Path) -> list[Output]:
    """Return the outputs of a system, in the order of the file.

    Raises:
        InputError: a line is no such object, or there is none.
    """
    return _read(path, _output, "outputs")


def read_references(path: Path) -> list[tuple[Pair, tuple[str, ...]]]:
    """Return (head, relation) and the references of each prefix, in the order of the file.

    References are cut at `|` and stripped, as the published script does; empty ones stay.

    Raises:
        InputError: a line is not in the form, or there is none.
    """
    return _read(path, _reference, "references")


def read_prefixes(path: Path) -> list[tuple[Pair, tuple[str, ...]]]:
    """Return (head, relation) of each prefix and the references that stand behind, if any.

    Raises:
        InputError: a line is not in the form, or there is none.
    """
    return _read(path, _prefix, "prefixes")


def read_training(path: Path, relations: Collection[str]) -> list[tuple[str, str, str]]:
    """Return triples (head, relation, tail), in the order of the file.

    Args:
        path: triples in either order of columns.
        relations: those of the outputs; the column that has more of them is the relation's.

    Raises:
        InputError: a line has not three columns, or there is none.
    """
    rows = _read(path, _columns, "triples")
    first, second = (sum(row[place] in relations for row in rows) for place in (0, 1))
    return [(one, two, three) if first <= second else (two, one, three) for one, two, three in rows]


def read_labelled(path: Path) -> list[tuple[tuple[str, str, str], bool]]:
    """Return triples (head, relation, tail) and whether each is good, as Li et al. (2016) label them.

    Raises:
        InputError: a line is not relation, head, tail and 0 or 1, or there is none.
    """
    return _read(path, _label, "labelled triples")


def format_output(output: Output) -> str:
    """Return an output as a line without its end."""
    return strict_json.write(
        {
            "head": output.head,
            "relation": output.relation,
            "tails": list(output.tails),
            "generations": list(output.generations),
            "greedy": output.greedy,
        }
    )


def match(outputs: Sequence[Output], references: Sequence[tuple[Pair, tuple[str, ...]]]) -> list[Answer]:
    """Return the outputs with their references, in the order of the outputs.

    Where both files have the same prefixes in the same order, but for those that no output is about, a line belongs to
    its line, as the published script has it, and a prefix may come twice. Else a prefix is found by its head and
    relation as they stand or, where it does not stand so, whatever their case, blanks and punctuation.

    Raises:
        InputError: an output's prefix has no references, or several outputs in another order are about the same one.
    """
    keys = [_key((output.head, output.relation)) for output in outputs]
    asked = set(keys)
    wanted = [(key, tails) for pair, tails in references if (key := _key(pair)) in asked]
    if keys == [key for key, _ in wanted]:
        found = [tails for _, tails in wanted]
    else:
        exact: dict[Pair, tuple[str, ...]] = {}
        table: dict[Pair, tuple[str, ...]] = {}
        for pair, tails in references:
            exact[pair] = exact.get(pair, ()) + tails
            table[_key(pair)] = table.get(_key(pair), ()) + tails
        for output, key in zip(outputs, keys, strict=True):
            if key not in table:
                raise InputError(f"the references have no prefix {output.head[:80]!r} @@ {output.relation[:40]!r}")
        pairs = [(output.head, output.relation) for output in outputs]
        meant = [pair if pair in exact else key for pair, key in zip(pairs, keys, strict=True)]
        if twice := [pair for pair, count in Counter(meant).items() if count > 1]:
            raise InputError(f"two outputs are about {twice[0][0][:80]!r} @@ {twice[0][1][:40]!r}: which one counts?")
        found = [exact[pair] if pair in exact else table[key] for pair, key in zip(pairs, keys, strict=True)]
    return [
        Answer(output.head, output.relation, output.greedy, output.generations, tails)
        for output, tails in zip(outputs, found, strict=True)
    ]


def in_common(systems: Sequence[Sequence[Answer]]) -> list[list[Answer]]:
    """Return of each system the answers to the prefixes that all of them answer.

    Raises:
        InputError: there is none.
    """
    shared = set.intersection(*({_key((a.head, a.relation)) for a in answers} for answers in systems))
    if not shared:
        raise InputError("these systems answer not one prefix in common")
    return [[answer for answer in answers if _key((answer.head, answer.relation)) in shared] for answers in systems]


def by_relation(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Return the answers of each relation, relations in the order of the alphabet."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.relation, []).append(answer)
    return dict(sorted(found.items()))


def _key(pair: Pair) -> Pair:
    """Return what two prefixes have in common if they are the same but for case, blanks and punctuation."""
    head = "".join(letter for letter in pair[0].casefold() if letter.isalnum() or letter == "_")
    return head, pair[1].strip().casefold()


def _read(path: Path, parse: Callable[[str], _Row], what: str) -> list[_Row]:
    rows = []
    for line in read_lines(path):
        if isinstance(line, Rejected):
            raise InputError(f"{path}, line {line.line}: {line.reason}")
        try:
            rows.append(parse(line.text))
        except (InputError, ValueError) as error:
            raise InputError(f"{path}, line {line.number}: {error}") from error
    if not rows:
        raise InputError(f"{path} has no {what}")
    return rows


def _output(text: str) -> Output:
    row = strict_json.read(text)
    if not isinstance(row, dict):
        raise InputError("an output is a JSON object")
    if missing := [name for name in ("head", "relation", "greedy") if name not in row]:
        raise InputError(f"{missing[0]} is missing")
    texts = {name: _text(row[name], name) for name in ("head", "relation")}
    if not texts["head"].strip() or not texts["relation"].strip():
        raise InputError("head and relation must not be blank")
    greedy = row["greedy"]
    if isinstance(greedy, list) and len(greedy) == 1:
        (greedy,) = greedy
    lists = {name: _texts(row.get(name), name) for name in ("generations", "tails")}
    return Output(texts["head"], texts["relation"], _text(greedy, "greedy"), lists["generations"], lists["tails"])


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InputError(f"{name} must be a list of texts, not {str(value)[:40]!r}")
    return tuple(_text(one, name) for one in value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {str(value)[:40]!r}")
    try:
        value.encode()
    except UnicodeError:
        raise InputError(f"{name} has a character that is no Unicode") from None
    return value


def _prefix(text: str) -> tuple[Pair, tuple[str, ...]]:
    prefix, _, rest = text.partition("\t")
    parts = [part.strip() for part in prefix.split(_SEPARATOR)]
    if len(parts) != len(("head", "relation")) or not all(parts):
        raise InputError(f"a prefix is 'head @@ relation', not {prefix[:80]!r}")
    return (parts[0], parts[1]), tuple(part.strip() for part in rest.split("|")) if rest else ()


def _reference(text: str) -> tuple[Pair, tuple[str, ...]]:
    pair, tails = _prefix(text)
    if not any(tails):
        raise InputError(f"{pair[0][:80]!r} @@ {pair[1][:40]!r} has no reference behind a tab")
    return pair, tails


def _label(text: str) -> tuple[tuple[str, str, str], bool]:
    cells = [cell.strip() for cell in text.split("\t")]
    if len(cells) != _COLUMNS + 1 or cells[-1] not in ("0", "1"):
        raise InputError("a labelled triple is relation, head, tail and 0 or 1")
    relation, head, tail, label = cells
    return (head, relation, tail), label == "1"


def _columns(text: str) -> tuple[str, str, str]:
    cells = [cell.strip() for cell in text.split("\t")][:_COLUMNS]  # Li et al. have a weight or a label in a fourth
    if len(cells) < _COLUMNS or not all(cells):
        raise InputError("a triple is three texts between tabs")
    return cells[0], cells[1], cells[2]

"""Clozes: facts with a sentence that leaves their tail blank, read from a file of LAMA's.

| rows of | their sentence |
|---|---|
| T-REx, Google-RE | the relation's template; without one, the vocabulary's phrase |
| ConceptNet, SQuAD | `masked_sentences`, as published |

As in LAMA's own code, sentences of more than 100 words are left out, and so is a fact that more people denied than
confirmed, and a fact that comes again with the same sentence.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kg import strict_json
from kg.errors import InputError
from kg.exchange.lama import NO_RELATION, read_lama
from kg.lines import Rejected, read_lines
from kg.model import Triple
from kg.probing.wording import HEAD, MASK, Blank, Template, cut, negate, render, templates_for
from kg.vocabulary import Vocabulary

_WORDS = 100  # of the longest sentence


@dataclass(frozen=True, slots=True)
class Cloze:
    """A fact and its sentence.

    Attributes:
        triple: head, relation and the tail that is right.
        blank: the sentence without the tail.
        headless: the same without the head, as far as one can tell it: what the tail is likely to be anyway.
        negated: the sentence with "not"; None where none is published and none can be made.
    """

    triple: Triple
    blank: Blank
    headless: Blank
    negated: Blank | None


@dataclass(slots=True)
class Clozes:
    """The clozes of a file.

    Attributes:
        rows: in the order of the file.
        left_out: reasons, with numbers of rows.
        rejected: rows that cannot be read.
    """

    rows: list[Cloze] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def right(self) -> Mapping[Blank, set[str]]:
        """All tails that the file gives for a sentence: for an N-M relation several."""
        found: defaultdict[Blank, set[str]] = defaultdict(set)
        for row in self.rows:
            found[row.blank].add(row.triple.tail)
        return found


def read_clozes(path: Path, vocabulary: Vocabulary, published: Mapping[str, Template], lang: str = "en") -> Clozes:
    """Read the facts of a file of LAMA's.

    Args:
        path: the file, plain or gzip.
        vocabulary: has the relations.
        published: relation to template (`wording.read_templates`).
        lang: BCP 47 tag of the texts.

    Raises:
        InputError: the file cannot be read, or no row of it can.
    """
    found, templates = Clozes(), templates_for(vocabulary, published)
    known: set[tuple[Blank, str]] = set()
    for row in read_lama(read_lines(path), vocabulary, lang):
        if isinstance(row, Rejected):
            found.rejected.append(row)
            continue
        try:
            cloze = _cloze(row.triple, strict_json.read(row.sources[0]), templates[row.triple.relation])
        except InputError as error:
            found.rejected.append(Rejected(0, str(error), row.sources[0][:200]))
            continue
        key = (cloze.blank, cloze.triple.tail)
        if reason := _left_out(cloze, strict_json.read(row.sources[0])) or ("said before" if key in known else ""):
            found.left_out[reason] += 1
            continue
        known.add(key)
        found.rows.append(cloze)
    if not found.rows:
        why = f"; line {found.rejected[0].line}: {found.rejected[0].reason}" if found.rejected else ""
        raise InputError(f"{path} has no fact to ask about{why}")
    return found


def _cloze(triple: Triple, row: Mapping[str, Any], template: Template) -> Cloze:
    if sentence := _published(row, "masked_sentences"):
        negated = _published(row, "masked_negations") or _published(row, "negated") or negate(sentence)
        return Cloze(triple, cut(sentence), Blank("", ""), cut(negated) if negated else None)
    if triple.relation == NO_RELATION:
        raise InputError("the row has neither a relation nor masked_sentences")
    headless = render(template.text.replace(HEAD, "").strip(), "")
    negated = template.negated
    return Cloze(
        triple, render(template.text, triple.head), headless, render(negated, triple.head) if negated else None
    )


def _published(row: Mapping[str, Any], name: str) -> str:
    """Return the sentences of a row that are the question itself, not evidence for a fact."""
    sentences = row.get(name)
    if not sentences or "evidences" in row:
        return ""
    if not isinstance(sentences, Sequence) or not all(isinstance(one, str) for one in sentences):
        raise InputError(f"{name} must be a list of texts")
    return sentences if isinstance(sentences, str) else " ".join(sentences)


def _left_out(cloze: Cloze, row: Mapping[str, Any]) -> str:
    asked = _published(row, "masked_sentences") or cloze.blank.fill(MASK)
    if len(asked.split()) > _WORDS:
        return f"more than {_WORDS} words"
    said = [str(one.get("judgment")) for one in row.get("judgments") or () if isinstance(one, dict)]
    return "more people deny than confirm it" if said.count("no") > said.count("yes") else ""

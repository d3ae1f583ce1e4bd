"""ConceptNet's assertions (Speer et al. 2017): five columns parted by tabs, the last of them JSON, any language."""

from collections.abc import Iterable, Iterator

from ingest.readers.rows import Rows, as_details, as_json, clean_part, json_object, parse_rows, read_number
from kg.errors import InputError
from kg.exchange.conceptnet import assertion_uri, plain_uri, relation_name, unescape
from kg.identity import concept_uri, read_concept_uri
from kg.lines import Line, Rejected
from kg.model import NOTHING, Assertion, Triple
from kg.vocabulary import Vocabulary


def read_conceptnet(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:  # noqa: ARG001
    """Yield the rows of assertions, 5.5 to 5.8: URI, relation, start, end, JSON.

    Texts and languages are those of the URIs. `sources` are kept as JSON, all else that the JSON says as `details`.
    """

    def parse(line: Line) -> Iterator[Assertion]:
        cells = line.text.split("\t")
        if len(cells) != 5:  # noqa: PLR2004
            raise InputError(f"{len(cells)} columns where 5 are expected: URI, relation, start, end, JSON")
        uri, relation, start, end, text = cells
        said = json_object(text)
        weight, sources = said.pop("weight", None), said.pop("sources", [])
        if isinstance(weight, str):
            raise InputError(f"weight {weight[:40]!r} is not a number")
        if not isinstance(sources, list):
            raise InputError("sources is not a list")
        if uri != assertion_uri(relation, start, end):
            said["uri"] = uri
        head, head_lang, head_uri = concept_parts(start, "start")
        tail, tail_lang, tail_uri = concept_parts(end, "end")
        yield Assertion(
            Triple(
                head, vocabulary[relation_name(relation)].name, tail, head_lang,
                "" if tail_lang == head_lang else tail_lang, head_uri, tail_uri,
            ),
            weight=None if weight is None else read_number(weight, "weight"),
            sources=tuple(map(as_json, sources)),
            details=as_details(said),
        )  # fmt: skip

    return parse_rows(lines, parse)


def concept_parts(uri: str, name: str) -> tuple[str, str, str]:
    """Return text and language of a URI, and the URI itself where they do not say it all.

    Raises:
        InputError: it is neither a concept nor an address.
    """
    if not uri.startswith(("/c/", "/x/")) and "://" not in uri:
        raise InputError(f"{name} {uri[:80]!r} is not a URI like /c/en/test")
    text, lang = read_concept_uri(uri)
    plain = clean_part(unescape(text), name)
    if uri in (concept_uri(text, lang), plain_uri(plain, lang)):
        return plain, clean_part(lang, name), uri if plain == NOTHING else ""
    return clean_part(text, name), clean_part(lang, name), clean_part(uri, name)

"""Any edge that a graph may hold, and the graph that holds just these."""

import json
from collections.abc import Iterable

from hypothesis import strategies as st

from kg.graph.knowledge import KnowledgeGraph
from kg.identity import half_of, own_uri, phrase_id
from kg.model import MAX_TEXT_BYTES, NOTHING, Edge, Phrase, Split, Triple, clean_text
from kg.snapshot.restoring import restore_descriptions, restore_records
from kg.store.bolt import Store
from kg.vocabulary import Relation, Vocabulary

HOSTILE = [
    "\"quoted\" and 'quoted'",
    "back\\slash \\u0060 \\n \\",
    "`) DETACH DELETE n //",
    "\u202eright to left\u200f",
    "\U0001f9d1\u200d\U0001f680 \U0001f1ef\U0001f1f5",
    "two\nlines\r\nthree\rfour",
    "  spaces\taround\t ",
    "<xml attribute='&amp;'>]]></xml><!-- -->",
    "".join(map(chr, range(1, 32))) + "text",
    "\x7f\x85\x9f\ufffe\uffff\ufeff\U0001fffe\u2028\u2029",
    "_x0001__x005F_\x01_x0041\x02|a|",
    "none ",
    "x" * 10_000,
    "é" * (MAX_TEXT_BYTES // 2),
    '<http://example.org/a> . # "@en^^',
    "100%5F and %25 and %",
    "http://example.org/c/en/x_y",
    "/c/en/cat/n",
    "\ufeffmarked",
    "a/b:c,d;e",
]
RELATIONS = Vocabulary(
    [
        Relation("xWant", "and then PersonX wants", "What does PersonX want?", about_person=True),
        Relation(
            "IsA",
            "is a",
            symmetric=True,
            source="ConceptNet",
            templates=("{head} is {tail}", "{tail}, as {head}"),
            phrases=("ja: は", "he: הוא"),
            questions=("ja: それは何？",),
        ),
        Relation("oEffect", "so others"),
    ]
)
STATEMENTS = ['{"run":"load-1","weight":1.0}', '{"run":"load.3."}']
RUNS = ["load-1", "predict-2", "a_b..c-4", "load.3."]

texts = st.one_of(
    st.sampled_from([*HOSTILE, "to rest", NOTHING]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
    .filter(str.strip)
    .map(clean_text),
)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
numbers = (
    st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([5e-324, 1.7976931348623157e308, 0.1 + 0.2, -0.0])
)
langs = st.sampled_from(["en", "ja", "zh-Hant-TW", "en_US", "x"])
uris = st.sampled_from([
    "", "/c/en/cat/n/wikt/en_1", "http://example.org/a b", "Q42", "none", "UMLS:C0001", "/c/en/a%5Fb", "/c/en/none",
    "/c/", "x" * 32,
])  # fmt: skip


@st.composite
def triples(draw: st.DrawFn) -> Triple:
    lang, head, head_uri, tail, tail_uri = (draw(some) for some in (langs, texts, uris, texts, uris))
    nothing = tail == NOTHING and not own_uri(tail, lang, tail_uri)
    other = "" if nothing else draw(st.sampled_from(["", "fr"]))
    head_uri, tail_uri = own_uri(head, lang, head_uri), own_uri(tail, other or lang, tail_uri)  # as a graph keeps them
    return Triple(head, draw(st.sampled_from(RELATIONS.names)), tail, lang, other, head_uri, tail_uri)


def split_by_key(triple: Triple) -> Split:
    """A split that depends on the head only, as in a graph."""
    key = phrase_id(triple.head, triple.lang, triple.head_uri)
    return ("train", "test")[half_of(key)]


@st.composite
def edges(draw: st.DrawFn) -> Edge:
    triple = draw(triples())
    runs = tuple(draw(st.lists(st.sampled_from(RUNS), min_size=1, max_size=3, unique=True)))
    own = [text for text in STATEMENTS if json.loads(text)["run"] in runs]
    return Edge(
        triple,
        split_by_key(triple),
        runs,
        predicted=draw(st.booleans()),
        logprob=draw(numbers),
        score=draw(st.none() | st.floats(0, 1)),
        critic=draw(st.none() | names),
        accepted=draw(st.none() | st.booleans()),
        weight=draw(numbers),
        sources=tuple(draw(st.lists(names, max_size=3, unique=True))),
        details=draw(st.none() | st.sampled_from(['{"a": 1}', '{"license": "é\\n"}'])),
        published=draw(st.none() | st.floats(0, 1)),
        scores=tuple(draw(st.lists(st.sampled_from(["0.25 critic-2", "1.0 critic-3"]), max_size=2, unique=True))),
        statements=tuple(sorted(draw(st.sets(st.sampled_from(own))))) if own else (),
    )


edge_lists = st.lists(edges(), max_size=6, unique_by=lambda edge: edge.triple)


def phrases_of(edges: Iterable[Edge]) -> list[Phrase]:
    """The phrases of edges, as a graph would have them."""
    found: dict[str, Phrase] = {}
    for edge in edges:
        triple = edge.triple
        ends = [(triple.head, triple.lang, triple.head_uri, "Event", edge.split)]
        if not triple.says_nothing:
            ends.append((triple.tail, triple.tail_lang or triple.lang, triple.tail_uri, "Inference", None))
        for text, lang, uri, label, split in ends:
            phrase = Phrase(text, lang, (), None, uri)
            known = found.get(phrase.id, phrase)
            labels = {*known.labels, label, *(["Concept"] if uri else [])}
            order = [name for name in ("Event", "Inference", "Concept") if name in labels]
            found[phrase.id] = Phrase(text, lang, tuple(order), known.split or split, uri)
    return list(found.values())


def fill(store: Store, edges: Iterable[Edge]) -> KnowledgeGraph:
    """Return a graph that holds these edges and nothing else."""
    edges = list(edges)
    store.run("MATCH (n) DETACH DELETE n")
    graph = KnowledgeGraph(store)
    runs = [{"id": run, "kind": run.partition("-")[0], "status": "finished", "added": 1} for run in RUNS]
    restore_descriptions(graph, RELATIONS, runs=runs)
    restore_records(graph, phrases_of(edges), edges)
    return graph

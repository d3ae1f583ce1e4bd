"""The table of formats: all that commands, help pages, guesses and GUIDE.md know of them.

A new format is one module in this package and one row here. A format that a stage reads for itself joins the table by
`register`. Functions are named, not imported, so that a help page loads none of them; what stands above this package
(`kg.snapshot`) is known by name alone. A function is handed what its row says that it takes, by the names of its
parameters:

| a reader's | | a writer's | |
|---|---|---|---|
| `path` | the file | `path` | the file to make |
| `lines` | its lines (`kg.lines`) | `edges`, `pages` | records, or rows by the page (`kg.exchange.selection`) |
| `vocabulary`, `lang` | relations that may occur; usual language | `phrases`, `every_phrase` | of these edges, or all |
| `dropped` | where it counts what it leaves out | `relations`, `runs`, `graph` | what else the graph has |
| `graph`, `workspace`, `progress` | for a graph that comes with its own runs | `base`, `form`, `progress` | options |

A reader returns `kg.exchange.rows.Rows`, or for a graph with its own runs `kg.snapshot.restoring.Restored`; a writer
the number of edges, or a sentence about what it did.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.exchange.rows import json_object
from kg.lines import Line, read_lines
from kg.vocabulary import Vocabulary

_OPTIONS = ("base", "form")  # what a writer may take besides the graph
_READ = ("edges", "pages")  # what filters choose from


@dataclass(frozen=True, slots=True)
class Reading:
    """How a format is read.

    Attributes:
        function: its module and name, parted by a colon.
        takes: names of the arguments that the function takes.
        vocabulary: the usual one; empty for a graph that comes with its own relations and runs.
        lang: the usual language, a BCP 47 tag.
        looks_like: tells whether a first line is of this format; None if the file's name tells it.
        partner: module and name of a function from a file to the other one that belongs to it; empty if there is none.
    """

    function: str
    vocabulary: str = ""
    lang: str = "en"
    takes: tuple[str, ...] = ("lines", "vocabulary", "lang")
    looks_like: Callable[[str], bool] | None = None
    partner: str = ""

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the files that are read: the given one and its partner, if it has one."""
        return (path, _resolved(self.partner)(path)) if self.partner else (path,)

    def __call__(self, **given: Any) -> Any:
        """Call the function with those of the given arguments that it takes."""
        return _resolved(self.function)(**{name: given[name] for name in self.takes})


@dataclass(frozen=True, slots=True)
class Writing:
    """How a format is written.

    Attributes:
        function: its module and name, parted by a colon.
        lost: what the file does not hold, or holds and does not bring back.
        takes: what it is handed.
        packs: whether a name that ends in `.gz` makes it pack the file.
        streams: whether the export is one file, which may be a pipe or stdout.
        name: the format's name for `kg export`, where that is another than for `--format`.
        says_languages: whether the file says in which language a text is; texts of several are mixed in no other.
    """

    function: str
    lost: str
    takes: tuple[str, ...] = ("edges", "path")
    packs: bool = True
    streams: bool = True
    name: str = ""
    says_languages: bool = True

    @property
    def needs_graph(self) -> bool:
        """Whether the format has anything of a graph in it."""
        return bool({*self.takes} - {*_OPTIONS, "path"})

    @property
    def filters(self) -> bool:
        """Whether the format can hold a part of the graph."""
        return bool({*self.takes} & {*_READ})

    def __call__(self, part: Any, **given: Any) -> int | str:
        """Call the function with the attributes of a `Selection` and the other arguments that it takes."""
        taken = {name: given[name] if name in given else getattr(part, name) for name in self.takes}
        done: int | str = _resolved(self.function)(**taken)
        return done


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        name: the format's name for `--format`.
        title: the format in a few words of Markdown.
        read: how the format is read; None if it is not.
        write: how the format is written; None if it is not.
        endings: of its files, without `.gz`; none for a folder.
    """

    name: str
    title: str
    read: Reading | None = None
    write: Writing | None = None
    endings: tuple[str, ...] = ()

    @property
    def export_name(self) -> str:
        """The format's name for `kg export`."""
        return self.write.name or self.name if self.write else ""


def has_keys(*names: str) -> Callable[[str], bool]:
    """Return a function that tells whether a line is a JSON object with these names."""
    return lambda first: {*names} <= _keys(first)


@lru_cache(maxsize=4)
def _keys(first: str) -> frozenset[str]:
    try:
        return frozenset(json_object(first)) if first.lstrip().startswith("{") else frozenset()
    except InputError:
        return frozenset()


def _is_cn100k(first: str) -> bool:
    return first.count("\t") == 2 and first.partition("\t")[0] in Vocabulary.load("conceptnet")  # noqa: PLR2004


_KG = "kg.exchange"
_EDGES = "phrases without edges, runs' own data, judgements, tasks, critics"
_ROWS = [
    Format(
        "skd",
        "SKD's `ATOMIC10X.jsonl`",
        Reading(f"{_KG}.skd:read_skd", "skd2", looks_like=has_keys("head", "relation", "tail")),
        Writing(
            f"{_KG}.skd:export_skd", "URIs, runs, weights", ("edges", "path", "graph"), name="jsonl",
        ),
        (".jsonl",),
    ),
    Format(
        "atomic2020",
        "ATOMIC-2020's TSV: head, relation, tail",
        Reading(
            f"{_KG}.tsv:read_atomic2020", "atomic2020",
            looks_like=lambda first: first.count("\t") == 2 and not _is_cn100k(first),  # noqa: PLR2004
        ),
        Writing(f"{_KG}.tsv:write_tsv", "all but the triples", name="tsv", says_languages=False),
        (".tsv",),
    ),
    Format(
        "pairs",
        "COMET-ATOMIC-2020's `NAME.source` and `NAME.target`",
        Reading(
            f"{_KG}.pairs:read_pairs", "atomic2020", takes=("path", "vocabulary", "lang"),
            partner=f"{_KG}.pairs:partner",
        ),
        Writing(f"{_KG}.pairs:write_pairs", "all but the triples", streams=False, says_languages=False),
        (".source", ".target"),
    ),
    Format(
        "atomic2019",
        "ATOMIC 2019's CSV, by annotator or aggregated",
        Reading(
            f"{_KG}.atomic:read_atomic2019", "atomic", takes=("lines", "vocabulary", "lang", "dropped"),
            looks_like=lambda first: first.startswith("event,"),
        ),
        Writing(
            f"{_KG}.atomic:export_atomic2019", "languages, URIs, scores, runs", ("edges", "path", "graph"),
            says_languages=False,
        ),
        (".csv",),
    ),
    Format(
        "cn100k",
        "ConceptNet 100K's TSV, the relation first",
        Reading(f"{_KG}.tsv:read_cn100k", "conceptnet", looks_like=_is_cn100k),
        Writing(f"{_KG}.tsv:write_cn100k", "all but the triples", says_languages=False),
        (".txt", ".tsv"),
    ),
    Format(
        "conceptnet",
        "ConceptNet 5.5 to 5.8 assertions, all languages",
        Reading(
            f"{_KG}.conceptnet:read_conceptnet", "conceptnet", takes=("lines", "vocabulary"),
            looks_like=lambda first: first.startswith("/a/["),
        ),
        Writing(f"{_KG}.conceptnet:write_conceptnet", 'splits, scores, runs; refuses "no effect"'),
        (".csv",),
    ),
    Format(
        "kgtk",
        "KGTK edge TSV, as CSKG",
        Reading(
            f"{_KG}.kgtk:read_kgtk", "cskg", looks_like=lambda first: {"node1", "node2"} <= {*first.split("\t")}
        ),
        Writing(
            f"{_KG}.kgtk:write_kgtk", "splits, scores, runs; columns that CSKG does not have",
            ("edges", "path", "relations"),
        ),
        (".tsv",),
    ),
    Format(
        "kgx",
        "KGX nodes and edges, JSONL",
        Reading(
            f"{_KG}.kgx:read_kgx", "cskg", takes=("path", "vocabulary", "lang"),
            looks_like=has_keys("subject", "predicate", "object"),
        ),
        Writing(
            f"{_KG}.kgx:write_kgx", "when it is read back: runs, what was predicted and accepted",
            ("phrases", "edges", "path", "runs"), packs=False, streams=False,
        ),
        ("_nodes.jsonl", "_edges.jsonl"),
    ),
    Format(
        "lama",
        "LAMA's probes, JSONL",
        Reading(
            f"{_KG}.lama:read_lama", "lama",
            looks_like=lambda first: "obj_label" in _keys(first) and bool({"sub_label", "sub"} & _keys(first)),
        ),
        Writing(f"{_KG}.lama:write_lama", "refuses edges without a probe", says_languages=False),
        (".jsonl",),
    ),
    Format(
        "snapshot",
        "snapshot: a folder of Parquet (zstd)",
        Reading("kg.snapshot.restoring:load_snapshot", takes=("graph", "path", "progress")),
        Writing(
            "kg.snapshot.folder:export_snapshot", "nothing", ("graph", "path", "progress"), packs=False, streams=False
        ),
    ),
    Format(
        "rdf",
        "RDF: `.nt` `.nq` `.ttl` `.trig` `.jsonld`",
        Reading("kg.snapshot.restoring:load_rdf", takes=("graph", "workspace", "path", "progress")),
        Writing(
            f"{_KG}.rdf.writing:export_rdf", "judgements, tasks, critics, the order of later runs",
            ("every_phrase", "pages", "path", "relations", "runs", "base", "form"),
        ),
        (".nt", ".nq", ".ttl", ".trig", ".jsonld"),
    ),
    Format(
        "shapes",
        "SHACL shapes that the RDF conforms to, Turtle",
        write=Writing(f"{_KG}.rdf.writing:write_shapes", "the graph", ("path", "base"), packs=False),
        endings=(".ttl",),
    ),
    Format(
        "parquet",
        "Parquet of edges",
        write=Writing(
            f"{_KG}.parquet:write_parquet", _EDGES, ("pages", "path"), packs=False,
        ),
        endings=(".parquet",),
    ),
    Format(
        "dataset",
        "data set for hubs and `datasets`: a folder of Parquet by split, with a card",
        write=Writing(
            f"{_KG}.dataset:export_dataset", _EDGES, ("pages", "path", "runs"), packs=False, streams=False,
        ),
    ),
    Format(
        "graphml",
        "GraphML for Gephi, yEd, Cytoscape",
        write=Writing(
            f"{_KG}.graphml:write_graphml", _EDGES, ("phrases", "edges", "path")
        ),
        endings=(".graphml",),
    ),
    Format(
        "gexf",
        "GEXF for Gephi, in memory",
        write=Writing(
            f"{_KG}.networkx:write_gexf", _EDGES, ("phrases", "edges", "path"), packs=False
        ),
        endings=(".gexf",),
    ),
    Format(
        "node-link",
        "node-link JSON for d3 and networkx, in memory",
        write=Writing(
            f"{_KG}.networkx:write_node_link", f"{_EDGES}; weights without end", ("phrases", "edges", "path"),
            packs=False,
        ),
        endings=(".json",),
    ),
    Format(
        "svg",
        "SVG: a picture of at most 60 edges",
        write=Writing(f"{_KG}.svg:write_svg", "all that is not in the picture", packs=False),
        endings=(".svg",),
    ),
]  # fmt: skip

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}


def register(row: Format) -> None:
    """Add a format to the table.

    Raises:
        ValueError: another one has its name.
    """
    if FORMATS.setdefault(row.name, row) != row:
        raise ValueError(f"there is another format {row.name!r}")


def readable() -> dict[str, Reading]:
    """Return the formats that can be read, by name."""
    return {row.name: row.read for row in FORMATS.values() if row.read}


def writable() -> dict[str, Writing]:
    """Return the formats that can be written, by the name that `kg export` gives them."""
    return {row.export_name: row.write for row in FORMATS.values() if row.write}


def reading(name: str) -> Reading:
    """Return how a format is read.

    Raises:
        InputError: no such format is.
    """
    if (found := readable().get(name)) is None:
        raise InputError(f"format {name!r} is not one of {', '.join(readable())}, auto")
    return found


def guess_format(path: Path) -> str:
    """Return the name of the format that a file has: by its name, or by its first readable line.

    Raises:
        InputError: the file looks like none of them.
    """
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"][-1:]
    for row in FORMATS.values():
        named = row.read and row.read.looks_like is None
        if named and (path.is_dir() if not row.endings else not path.is_dir() and {*endings} & {*row.endings}):
            return row.name
    first = next((line for line in read_lines(path) if isinstance(line, Line)), None)
    text = first.text if first else ""
    for name, read in readable().items():
        if read.looks_like and read.looks_like(text):
            return name
    raise InputError(
        f"{path} looks like none of {', '.join(readable())}; its first line is {text[:80]!r}; say --format"
    )


def readme_rows() -> Iterator[str]:
    """Yield the rows of GUIDE.md's table of formats."""
    for row in FORMATS.values():
        read, write = (f"`{name}`" if name else "" for name in (row.read and row.name, row.export_name))
        cells = (row.title, read, write, row.write.lost if row.write else "")
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _resolved(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found

"""A reduced corpus, a tiny encoder, and a process that runs the loop on them."""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from kg.distill import distill
from kg.encoder import Encoder
from kg.errors import KGError
from kg.graph.connection import open_graph
from kg.readings import STARTER
from kg.server.server import Address, Server
from kg.workspace import Workspace
from tests import command

RELATIONS = ("xWant", "xReact", "xNeed")


def distill_once(corpus: str, encoder: str, environment: dict[str, str], said: str) -> None:
    """Run the loop in this process, which says each step when it begins and `done` at the end."""
    command.take_over(environment, corpus, said)
    workspace = Workspace.default()
    try:
        with open_graph(workspace) as graph:
            embed = Encoder(encoder, workspace.folder("embeddings"))
            speak = partial(print, flush=True)
            distill(graph, workspace, embed, corpus=Path(corpus), base="none", epochs=1, say=speak)
    except KGError as error:
        sys.exit(f"kg: {error}")
    print("done", flush=True)


@dataclass
class Loop:
    """One workspace, in which the loop is run as a process of its own, on the server given or on one of its own."""

    workspace: Workspace
    corpus: Path
    encoder: Path
    address: Address | None = None

    @property
    def server(self) -> Server:
        return Server(self.workspace.folder("server"))

    @property
    def said(self) -> str:
        """What the last run has said so far."""
        return (self.workspace.root / "said.out").read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        return (self.workspace.root / "said.err").read_text(encoding="utf-8")

    def start(self) -> multiprocessing.Process:
        said = self.workspace.root / "said"
        for end in (".out", ".err"):
            said.with_suffix(end).write_text("")
        environment = {
            "KG_HOME": str(self.workspace.root),
            "PATH": "/usr/bin:/bin",
            "HOME": str(Path.home()),
            "OMP_NUM_THREADS": "1",  # a graph is compared with another, and another number of threads rounds otherwise
        }
        environment |= self._given
        process = command.CONTEXT.Process(
            target=distill_once, args=(str(self.corpus), str(self.encoder), environment, str(said))
        )
        process.start()
        return process

    @property
    def step(self) -> str:
        """The step that the last run was in last, or `done`; empty before the first."""
        return ["", *(line.partition(" ")[0] for line in self.said.splitlines())][-1]

    def run(self) -> dict[str, float]:
        """Run the loop to its end; return how many seconds each step took, to a tenth or so."""
        process = self.start()
        seconds: dict[str, float] = {}
        deadline = time.monotonic() + 600
        while process.is_alive() and time.monotonic() < deadline:
            step, begun = self.step, time.monotonic()
            process.join(0.05)
            seconds[step] = seconds.get(step, 0) + time.monotonic() - begun
        assert self.step == "done", self.errors
        return seconds

    @property
    def _given(self) -> dict[str, str]:
        at = self.address
        names = ("NEO4J_URI", "NEO4J_USERNAME", "NEO4J_PASSWORD")
        return dict(zip(names, (at.uri, at.username, at.password), strict=True)) if at else {}

    def picture(self) -> dict[str, object]:
        """All that the loop says, without times, scores rounded to what another order of batches leaves alone."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._given.items():
                patch.setenv(name, value)
            return self._picture()

    def _picture(self) -> dict[str, object]:
        with open_graph(self.workspace) as graph:
            edges = [
                (edge.triple, edge.split, edge.runs, edge.predicted, edge.accepted,
                 *(None if number is None else round(number, 3) for number in (edge.score, edge.logprob)))
                for edge in graph.edges()
            ]  # fmt: skip
            return {
                "edges": edges,
                "phrases": list(graph.phrases()),
                "judgements": graph.judgements(),
                "runs": sorted((run["id"], run["status"], run["offered"], run["added"]) for run in graph.runs()),
            }


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rows = [json.loads(line) for line in (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    events = sorted({row["event"] for row in rows})[:60]
    kept = [json.dumps(row) for row in rows if row["event"] in events and row["relation"] in RELATIONS]
    (folder / "completions.jsonl").write_text("\n".join(kept), encoding="utf-8")
    header, *verdicts = (STARTER / "judgements.tsv").read_text(encoding="utf-8").splitlines()
    kept = [row for row in verdicts if row.split("\t")[0] in events and row.split("\t")[1] in RELATIONS]
    (folder / "judgements.tsv").write_text("\n".join([header, *kept]), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    words = sorted(
        {word for row in corpus.glob("*") for word in row.read_text(encoding="utf-8").replace('"', " ").split()}
    )
    vocabulary = {word: place for place, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "[PAD]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def loops(tmp_path_factory: pytest.TempPathFactory, corpus: Path, encoder: Path) -> Callable[..., Loop]:
    return lambda *address: Loop(Workspace(tmp_path_factory.mktemp("loop")), corpus, encoder, *address)

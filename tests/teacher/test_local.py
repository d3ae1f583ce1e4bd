"""A transformers model in this process as the teacher: a tiny one, made here, loaded by the real code."""

import asyncio
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BloomConfig,
    BloomForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from ingest.cleaning import Completion
from ingest.teacher import cli, local
from ingest.teacher.account import describe_run
from ingest.teacher.asking import Tally, ask_all
from ingest.teacher.cache import ReplyCache
from ingest.teacher.cli import report
from ingest.teacher.few_shot import FewShotWriter, Settings
from ingest.teacher.inferences import generate_inferences
from ingest.teacher.lesson import Lesson
from ingest.teacher.local import LocalTeacher
from ingest.teacher.messages import Usage
from ingest.teacher.money import Budget
from ingest.teacher.plan import Plan, open_plan
from ingest.teacher.provenance import find_reply
from ingest.teacher.quote import quote
from ingest.teacher.run import Teaching
from kg.errors import InputError, NotReady, TeacherError
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.origins import origin_of_run
from kg.language_model import packaged, tree
from kg.language_model.generation import Tail, Writer
from kg.language_model.tree import Tree
from kg.lines import file_hash
from kg.vocabulary import Vocabulary
from kg.wide import Spread, here
from kg.workspace import Workspace
from tests.apart import apart
from tests.language_model import tiny
from tests.repeats import only_thorough

PARTS = ("head", "relation", "tail")
SETTINGS = {"temperature": 1.0, "top_p": 0.9, "max_tokens": 6, "stop": ["stop"], "presence_penalty": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    words = [
        "[END]",
        "[UNK]",
        "stop",
        *["to", "rest", "sleep", "eat", "go", "home", "Alex", "wants", "naps", "a", "the", "now", ".", "1", "2", ":"],
    ]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[END]").save_pretrained(path)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(words), n_positions=512, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(path)
    return path


def ask(folder: Path, workspace: Path, texts: list[str], count: int = 4, spread: Spread = here) -> list[list]:
    teacher = LocalTeacher(str(folder), spread=spread)
    requests = [teacher.request(str(place), text, count, SETTINGS) for place, text in enumerate(texts)]
    with ReplyCache.open(workspace) as cache:
        outcomes = list(ask_all(teacher, requests, cache, "run", Budget(None, None, Usage()), tally=Tally()))
    found = {outcome.request.id: outcome.reply for outcome in outcomes}
    return [found[str(place)].completions for place in range(len(texts))]


def test_texts_have_the_log_probabilities_that_the_model_gives_them(folder: Path, tmp_path: Path) -> None:
    prompts = ["Alex wants", "Alex naps . Alex wants", "1 : Alex naps . Alex wants"]
    replies = ask(folder, tmp_path, prompts)
    assert [len(completions) for completions in replies] == [4, 4, 4]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    checked = 0
    for prompt, completions in zip(prompts, replies, strict=True):
        for one in completions:
            assert one.finish in ("stop", "length")
            assert "stop" not in one.text
            tokens = tokenizer(one.text)["input_ids"]
            if not tokens or round(one.total / one.logprob) != len(tokens):  # it said [UNK], which no text shows
                continue
            whole = torch.tensor([tokenizer(prompt)["input_ids"] + tokens])
            with torch.inference_mode():
                logprobs = model(whole).logits.log_softmax(-1)[0, -len(tokens) - 1 : -1]
            expected = logprobs[range(len(tokens)), tokens]
            assert one.total == pytest.approx(float(expected.sum()), abs=1e-3), (prompt, one)
            assert one.logprob == pytest.approx(float(expected.mean()), abs=1e-3)
            checked += 1
    assert checked >= 6


def test_the_same_seed_says_the_same_and_what_was_said_is_kept(folder: Path, tmp_path: Path) -> None:
    first = ask(folder, tmp_path / "a", ["Alex wants"])
    assert ask(folder, tmp_path / "b", ["Alex wants"]) == first
    assert ask(folder, tmp_path / "a", ["Alex wants"]) == first


def test_workers_write_what_one_process_writes_and_have_all_that_waits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_BATCH_SEQUENCES", 8)  # two requests
    handed: list[int] = []

    def spread(pages: Iterable[Any], compute: Callable[[Any], Any]) -> Iterator[Any]:
        some = list(pages)
        handed.append(len(some))
        return apart(some, compute)

    texts = ["Alex wants", "Alex naps . Alex wants", "1 : Alex naps .", "Alex wants to go", "Alex wants a"]
    assert ask(folder, tmp_path / "workers", texts, spread=spread) == ask(folder, tmp_path / "one", texts)
    assert handed == [3]


def test_its_inferences_land_in_the_graph(folder: Path, graph: KnowledgeGraph, workspace: Workspace) -> None:
    relation = Vocabulary.load("skd")["xWant"]
    plan = Plan("inferences", str(folder), "local", None, "paper", "en", 8, ("PersonX naps",), relations=(relation,))
    taught = generate_inferences(graph, Teaching(workspace, plan))
    edges = list(graph.edges())
    assert len(edges) == taught.added > 0
    assert taught.tally.asked == 1
    assert all(edge.logprob < 0 for edge in edges)
    request, reply = find_reply(workspace, taught.run, *(getattr(edges[0].triple, part) for part in PARTS))
    assert request.event == "PersonX naps"
    assert edges[0].logprob in {one.logprob for one in reply.completions}


def test_a_run_of_a_model_that_costs_nothing_speaks_of_no_payment(
    folder: Path, graph: KnowledgeGraph, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    relations = (Vocabulary.load("skd")["xWant"],)
    plan = Plan("inferences", str(folder), "local", None, "paper", "en", 8, ("PersonX naps",), relations=relations)
    with Lesson.open(workspace, plan) as lesson:
        lesson.cache.note_sent(lesson.inference_request("PersonX naps", "xWant"), lesson.run.id)  # and was killed
    taught = generate_inferences(graph, Teaching(workspace, plan))
    assert taught.account.perhaps_paid
    report(plan, taught, 0.05)
    said = capsys.readouterr()
    assert "1 replies" in said.out
    assert "paid" not in said.out + said.err


def test_a_local_run_costs_nothing_whatever_the_model_is_called(
    folder: Path, graph: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "gpt-4o").symlink_to(folder)  # a provider's model of this name has a price
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path / "home")
    relations = (Vocabulary.load("skd")["xWant"],)
    plan = Plan("inferences", "gpt-4o", "local", None, "paper", "en", 8, ("PersonX naps",), relations=relations)
    estimate = str(quote(workspace, plan).estimate)
    assert "costs nothing" in estimate
    assert "$" not in estimate
    told: list[float | None] = []
    teaching = Teaching(workspace, plan, budget_usd=0, progress=lambda _, spent: told.append(spent))
    taught = generate_inferences(graph, teaching)
    report(plan, taught, 0.05)
    assert "$" not in capsys.readouterr().out
    assert (taught.tally.asked, set(told)) == (1, {None})
    assert graph.run(taught.run)["cost_usd"] == describe_run(workspace, taught.run)["cost_usd"] == 0


def test_a_local_run_has_no_provider(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_BASE_URL", "no address")
    (tmp_path / "events.txt").write_text("PersonX naps\n")
    cli.generate_inferences(
        str(folder), str(tmp_path / "events.txt"), relations="xWant", interface="local", dry_run=True
    )
    cli.generate_events(1, str(folder), tmp_path / "events.txt", interface="local", dry_run=True)
    workspace = Workspace(tmp_path / "home")
    runs = [line.split()[1].rstrip(":") for line in capsys.readouterr().out.splitlines() if line.startswith("Run ")]
    assert len(runs) == 2
    for run in runs:
        assert open_plan(workspace, run).base_url is None
        assert "base_url" not in describe_run(workspace, run)["plan"]


def test_the_provider_that_an_older_version_wrote_into_a_local_plan_is_not_shown_and_the_run_is_the_same(
    folder: Path, workspace: Workspace
) -> None:
    relations = (Vocabulary.load("skd")["xWant"],)
    plan = Plan("inferences", str(folder), "local", None, "paper", "en", 8, ("PersonX naps",), relations=relations)
    found = []
    for address in ("https://api.openai.com/v1", None):
        with Lesson.open(workspace, replace(plan, base_url=address)) as lesson:
            lesson.save()
            found.append((lesson.run.id, lesson.inference_request("PersonX naps", "xWant").key))
    assert found[0] == found[1]
    run = found[0][0]
    assert open_plan(workspace, run).base_url
    assert "base_url" not in describe_run(workspace, run)["plan"]


def test_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TeacherError, match="cannot load the model"):
        ask(tmp_path / "empty", tmp_path, ["Alex wants"])


def test_a_model_without_all_of_its_weights_and_one_that_looks_ahead_are_no_teachers(
    folder: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    weights = load_file(half / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if ".attn." not in name}
    save_file(kept, half / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TeacherError, match="no teacher: 4 of its weights are missing"):
        ask(half, tmp_path, ["Alex wants"])
    bert = tmp_path / "bert"
    shutil.copytree(folder, bert)
    config = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    torch.manual_seed(0)  # with some weights the difference is below what is looked for
    BertForMaskedLM(config).save_pretrained(bert)
    with pytest.raises(TeacherError, match="depends on later ones"):
        ask(bert, tmp_path, ["Alex wants"])


WORDS = ["[END]", "[UNK]", "wants", "<think>", "a", "nap", "</think>", "to", "rest", "stop", "now"]
THINKS = {
    "thinking, then a text": (["wants", "<think>", "a", "nap", "</think>", "to", "rest", "[END]"], "to rest"),
    "thinking, then a text to a stop": (
        ["wants", "<think>", "a", "</think>", "to", "rest", "stop", "now"],
        "to rest",
    ),
    "only the end of thinking": (["wants", "a", "nap", "</think>", "to", "rest", "[END]"], "to rest"),
    "nothing but thinking": (["wants", "<think>", "a", "nap", "</think>", "[END]"], None),
    "thinking that does not end": (["wants", "<think>", "a", "nap", "[END]"], None),
}


def parrot(path: Path, words: list[str], *, special: bool, vocabulary: list[str] = WORDS) -> None:
    """Make a model that says just these words: each follows from the one before it."""
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = {"additional_special_tokens": ["<think>", "</think>"]} if special else {}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[END]", **marks).save_pretrained(
        path
    )
    size = len(vocabulary)
    config = GPT2Config(
        vocab_size=size, n_positions=64, n_embd=size, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.transformer.h.parameters():
            parameter.zero_()
        model.transformer.wpe.weight.zero_()
        model.transformer.wte.weight.copy_(torch.eye(size))
        model.lm_head.weight.zero_()
        for one, following in itertools.pairwise(words):
            model.lm_head.weight[vocabulary.index(following), vocabulary.index(one)] = 100.0
    model.save_pretrained(path)


@pytest.mark.parametrize("special", [True, False], ids=["as special tokens", "as words"])
@pytest.mark.parametrize("name", THINKS)
def test_what_a_local_model_thinks_is_no_text(tmp_path: Path, name: str, *, special: bool) -> None:
    words, text = THINKS[name]
    parrot(tmp_path / "model", words, special=special)
    teacher = LocalTeacher(str(tmp_path / "model"))
    request = teacher.request("a", "wants", 2, SETTINGS | {"max_tokens": len(words) - 1})
    with ReplyCache.open(tmp_path) as cache:
        (outcome,) = ask_all(teacher, [request], cache, "run", Budget(None, None, Usage()), tally=Tally())
    if text is None:
        assert outcome.reply is None
        assert "wrote nothing, thinking set aside" in outcome.failure
    else:
        assert [one.text.split() for one in outcome.reply.completions] == [text.split()] * 2
        assert all(one.finish == "stop" for one in outcome.reply.completions)
        assert all(one.logprob is None for one in outcome.reply.completions), "it would be that of the thinking, too"


def test_thinking_of_a_local_model_reaches_no_graph(tmp_path: Path, graph: KnowledgeGraph) -> None:
    words = ["wants", "<think>", "a", "nap", "</think>", "to", "rest", "[END]"]
    parrot(tmp_path / "model", words, special=True)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "xWant.txt").write_text("{{ event }} wants")
    plan = Plan(
        "inferences", str(tmp_path / "model"), "local", None, str(tmp_path / "prompts"), "en", 2, ("PersonX naps",),
        relations=(Vocabulary.load("skd")["xWant"],),
    )  # fmt: skip
    taught = generate_inferences(graph, Teaching(Workspace(tmp_path / "home"), plan))
    assert [edge.triple.tail for edge in graph.edges()] == ["to rest"]
    assert taught.rules == {"duplicate": 1}


LESSON = (
    "PersonX shears a cat. As a result, PersonX feels tired\nPersonX bakes it. As a result, PersonX feels good\n" * 2
)
TEXTS = [f"{LESSON}{event}. As a result, PersonX feels" for event in (*tiny.TEXTS[:3], "PersonX is late again")]
FREE = {"temperature": 1.0, "top_p": 0.9, "max_tokens": 9, "stop": ["zz"]}


@pytest.fixture(scope="module", params=tiny.KINDS, ids=lambda kind: kind.__name__)
def model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(request.param, tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="module")
def gemma_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tiny.gemma3, tmp_path_factory.mktemp("models") / "model")


def saved(kind: Callable[..., Any], path: Path) -> Path:
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(path)
    kind(vocab_size=len(tokenizer)).save_pretrained(path)
    return path


def asked(
    folder: Path, workspace: Path, texts: list[str], settings: dict[str, Any] = FREE, count: int = 3, seed: int = 0
) -> dict[str, tuple[Completion, ...]]:
    teacher = LocalTeacher(str(folder), seed=seed)
    requests = [teacher.request(text, text, count, settings) for text in texts]
    with ReplyCache.open(workspace) as cache:
        outcomes = ask_all(teacher, requests, cache, "run", Budget(None, None, Usage()), tally=Tally())
        return {one.request.id: one.reply.completions if one.reply else one.failure for one in outcomes}


def rounded(found: dict[str, tuple[Completion, ...]]) -> dict[str, list[tuple[str, str | None, float | None]]]:
    return {
        text: [(one.text, one.finish, one.total and round(one.total, 3)) for one in some]
        for text, some in found.items()
    }


def test_a_request_gets_the_same_texts_whatever_is_asked_beside_it_and_before(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = asked(model_folder, tmp_path / "together", TEXTS)
    assert len({one.text for some in together.values() for one in some}) > len(TEXTS), "these are draws"
    alone = {text: asked(model_folder, tmp_path / text[-30:-20], [text])[text] for text in TEXTS}
    assert rounded(alone) == rounded(together)
    monkeypatch.setattr(local, "_BATCH_SEQUENCES", 4)  # one by one, the examples known from the second on
    assert rounded(asked(model_folder, tmp_path / "one by one", TEXTS[::-1])) == rounded(together)
    asked(model_folder, tmp_path / "resumed", TEXTS[1:3])
    assert rounded(asked(model_folder, tmp_path / "resumed", TEXTS)) == rounded(together)
    assert rounded(asked(model_folder, tmp_path / "other", TEXTS, seed=1)) != rounded(together)


def test_log_probabilities_are_those_of_the_whole_prompt(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[tuple[int, ...], list[Tail]] = {}
    samples = Writer.samples

    def recorded(self: Writer, prompts: list[tuple[int, ...]], *args: Any, **settings: Any) -> list[list[Tail]]:
        found = samples(self, prompts, *args, **settings)
        drawn.update(((*self._before, *prompt), tails) for prompt, tails in zip(prompts, found, strict=True))
        assert len(self._before) > 16, "the examples are shared"
        return found

    monkeypatch.setattr(Writer, "samples", recorded)
    found = asked(model_folder, tmp_path, TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    checked = 0
    for text in TEXTS:
        prompt = tokenizer(text)["input_ids"]
        for one, tail in zip(found[text], drawn[tuple(prompt)], strict=True):
            if one.total is None:
                continue
            tokens = list(tail.tokens[: round(one.total / one.logprob)])
            with torch.inference_mode():
                logprobs = model(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            expected = logprobs[range(len(tokens)), tokens]
            assert one.total == pytest.approx(float(expected.sum()), abs=1e-4)
            assert one.logprob == pytest.approx(float(expected.mean()), abs=1e-4)
            checked += 1
    assert checked > 2 * len(TEXTS)


def test_at_temperature_0_texts_are_those_of_generate_on_whole_prompts(model_folder: Path, tmp_path: Path) -> None:
    found = asked(model_folder, tmp_path, TEXTS, FREE | {"temperature": 0}, count=2)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    for text in TEXTS:
        tokens = tokenizer(text, return_tensors="pt")["input_ids"]
        made = model.generate(tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=9,
                              pad_token_id=0)  # fmt: skip
        expected = tokenizer.decode(made[0, tokens.shape[1] :], skip_special_tokens=True)
        before = expected[: len(expected) - len(expected.lstrip())]
        assert [one.text for one in found[text]] == [before + expected.lstrip().partition("\n")[0]] * 2


@pytest.mark.parametrize(("batch", "times"), [(6, 1), (3, 2)], ids=["two at once", "one by one"])
def test_examples_are_read_once_for_all_events(
    batch: int, times: int, gemma_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = Tree._read  # noqa: SLF001

    def counted(self: Tree, tokens: torch.Tensor, *rest: Any) -> torch.Tensor:
        read.append(len(tokens))
        return original(self, tokens, *rest)

    monkeypatch.setattr(Tree, "_read", counted)
    monkeypatch.setattr(local, "_BATCH_SEQUENCES", batch)
    tokenizer = AutoTokenizer.from_pretrained(gemma_folder)
    examples = len(tokenizer(LESSON)["input_ids"])
    found = asked(gemma_folder, tmp_path, TEXTS)
    texts = [one for some in found.values() for one in some]
    rests = sum(len(tokenizer(text)["input_ids"]) - examples for text in TEXTS)
    assert read.count(examples) == 1, "by themselves; of the very first prompt alone nobody knows them"
    assert sum(read) <= times * examples + rests + 9 * len(texts) + 10, "10 of the probe"


def test_a_text_ends_at_a_stop_and_with_its_first_line(tmp_path: Path) -> None:
    cases = {
        "stops": (["wants", "to", "rest", "stop", "now", "a", "nap"], {"stop": ["stop"]}, "to rest ", 3),
        "one stop": (["wants", "to", "rest", "stop", "now", "a", "nap"], {"stop": "stop"}, "to rest ", 3),
        "line": (["wants", "to", "rest", "\n", "now", "a", "nap"], {"stop": ["stop"]}, "to rest ", 3),
        "blank line": (["wants", "\n", "to", "rest", "[END]"], {"stop": []}, "\n to rest", 4),
        "no stop": (["wants", "to", "rest", "now"], {"stop": [""]}, "to rest now", 3),
    }
    for name, (words, settings, text, tokens) in cases.items():
        parrot(
            tmp_path / name,
            words,
            special=False,
            vocabulary=list(dict.fromkeys(["[END]", "[UNK]", *words, *WORDS[4:6], *WORDS[7:]])),
        )
        teacher = LocalTeacher(str(tmp_path / name))
        request = teacher.request("a", "wants", 2, SETTINGS | {"max_tokens": len(words) - 1} | settings)
        with ReplyCache.open(tmp_path) as cache:
            (outcome,) = ask_all(teacher, [request], cache, "run", Budget(None, None, Usage()), tally=Tally())
        assert [one.text for one in outcome.reply.completions] == [text] * 2, name
        finish = "length" if name == "no stop" else "stop"
        assert [one.finish for one in outcome.reply.completions] == [finish] * 2, name
        assert outcome.reply.usage == Usage(1, 2 * tokens), f"{name}: nothing is written behind the end"


def test_a_prompt_that_is_too_long_or_empty_is_refused_in_a_sentence_and_the_others_are_answered(
    tmp_path: Path,
) -> None:
    parrot(tmp_path / "model", ["wants", "to", "rest", "[END]"], special=False)
    texts = ["wants " * 70, "wants", " ", "wants " * 59, "wants " * 58]
    found = asked(tmp_path / "model", tmp_path, texts, SETTINGS)
    assert "reads 64 tokens here at most: the prompt has 70, and 6 more may follow" in found["wants " * 70]
    assert "has nothing to go on from" in found[" "]
    assert "reads 64 tokens" in found["wants " * 59]
    for text in ("wants", "wants " * 58):
        assert [one.text for one in found[text]] == ["to rest"] * 3


def test_a_model_that_cannot_share_a_beginning_is_refused_in_a_sentence(tmp_path: Path) -> None:
    tokenizer = tiny.tokenizer()
    shape = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    configs = {
        "cannot read sequences packed into trees": (BloomForCausalLM, BloomConfig(**shape)),
        "whose beginning is shared": (FalconForCausalLM, FalconConfig(**shape, alibi=True)),
    }
    for number, (sentence, (kind, config)) in enumerate(configs.items()):
        tokenizer.save_pretrained(tmp_path / str(number))
        kind(config).save_pretrained(tmp_path / str(number))
        with pytest.raises(TeacherError, match=sentence):
            asked(tmp_path / str(number), tmp_path, TEXTS)


def test_a_model_that_reads_a_shared_beginning_otherwise_is_refused(
    gemma_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = tree.attention
    monkeypatch.setattr(tree, "attention", lambda model, visible, *depths: masks(model, visible | True, *depths))
    with pytest.raises(TeacherError, match="a gemma3_text model cannot read prompts whose beginning is shared"):
        asked(gemma_folder, tmp_path, TEXTS)


@pytest.mark.parametrize("setting", [{"temperature": -1.0}, {"top_p": 1.5}, {"top_p": -0.1}])
def test_a_setting_that_cannot_be_followed_is_refused_before_anything_is_asked(
    setting: dict[str, float], gemma_folder: Path
) -> None:
    with pytest.raises(InputError, match=r"of a local teacher|a local teacher draws"):
        LocalTeacher(str(gemma_folder)).request("a", "b", 1, SETTINGS | setting)


def test_writing_ends_when_the_run_is_called_off(gemma_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    is_enough = FewShotWriter._is_enough  # noqa: SLF001

    def slow(self: FewShotWriter, tokens: tuple[int, ...], settings: Settings) -> bool:
        written.append(len(tokens))
        time.sleep(0.02)
        return is_enough(self, tokens, settings)

    monkeypatch.setattr(FewShotWriter, "_is_enough", slow)

    async def call_off() -> None:
        teacher = LocalTeacher(str(gemma_folder))
        async with teacher:
            request = teacher.request("a", TEXTS[0], 4, FREE | {"max_tokens": 60, "stop": []})
            asking = asyncio.create_task(teacher.ask(request))
            while not written:  # noqa: ASYNC110 - a thread writes
                await asyncio.sleep(0.01)
            asking.cancel()

    asyncio.run(call_off())  # waits for the thread that writes
    assert 0 < len(written) < 100, "of 240"


@pytest.mark.parametrize(("kind", "origin"), [(tiny.gemma3, "gemma"), (tiny.llama, None)])
def test_a_run_says_what_its_model_is_derived_from_whatever_the_folder_is_called(
    kind: Callable[..., Any], origin: str | None, graph: KnowledgeGraph, tmp_path: Path
) -> None:
    folder = saved(kind, tmp_path / "model")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "xWant.txt").write_text("{{ event }} wants")
    events = tuple(tiny.TEXTS[:3])
    plan = Plan(
        "inferences", str(folder), "local", None, str(tmp_path / "prompts"), "en", 8, events,
        relations=(Vocabulary.load("skd")["xWant"],),
    )  # fmt: skip
    workspace = Workspace(tmp_path / "home")
    taught = generate_inferences(graph, Teaching(workspace, plan))
    run = graph.run(taught.run)
    assert origin_of_run(run) == origin
    assert ("derived_from" in json.loads(run["parameters"])) == (origin is not None)
    assert "gemma" not in run["model"]


@pytest.mark.parametrize("named", ["folder", "hub"])
def test_runs_of_an_older_version_find_their_replies_and_go_on_with_them(
    named: str, folder: Path, graph: KnowledgeGraph, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    model = str(folder) if named == "folder" else folder.name  # known by its name, as one of a hub is
    if named == "hub":
        monkeypatch.setattr(local, "fingerprint", lambda name: name)
        monkeypatch.setattr(local, "_older_fingerprint", lambda name: name)
    relations = (Vocabulary.load("skd")["xWant"],)
    plan = Plan("inferences", model, "local", None, "paper", "en", 8, ("PersonX naps",), relations=relations)
    with Lesson.open(workspace, replace(plan, older=True)) as lesson:
        request = lesson.inference_request("PersonX naps", "xWant")
        assert request.prompt == lesson.prompts.for_inferences("PersonX naps", "xWant")
        assert request.url == f"local:{file_hash(folder / 'model.safetensors') if named == 'folder' else model}"
    with Lesson.open(workspace, plan) as lesson:
        assert lesson.inference_request("PersonX naps", "xWant").key != request.key
        new = lesson.run.id
    taught = generate_inferences(graph, Teaching(workspace, replace(plan, older=True)))
    assert taught.run != new
    file = workspace.place("runs", taught.run) / "plan.json"
    content = json.loads(file.read_text())
    del content["older"]  # as an older version wrote it
    file.write_text(json.dumps(content))

    edge = next(graph.edges())
    answered, reply = find_reply(workspace, taught.run, *(getattr(edge.triple, part) for part in PARTS))
    assert answered.key == request.key
    assert edge.logprob in {one.logprob for one in reply.completions}
    again = generate_inferences(graph, Teaching(workspace, open_plan(workspace, taught.run)))
    assert (again.run, again.tally.asked) == (taught.run, 0)
    newer = generate_inferences(graph, Teaching(workspace, plan))
    assert (newer.run, newer.tally.asked) == (new, 1)
    assert not open_plan(workspace, new).older


def test_prompts_of_a_local_teacher_begin_alike_and_those_of_others_do_not(folder: Path, workspace: Workspace) -> None:
    relations = tuple(Vocabulary.load("skd"))
    events = tuple(f"PersonX {verb} PersonY" for verb in ("greets", "calls", "thanks", "pays"))
    for interface, model in (("local", str(folder)), ("completions", "davinci-002")):
        plan = Plan("inferences", model, interface, None, "paper", "en", 1, events, relations=relations)
        with Lesson.open(workspace, plan) as lesson:
            requests = list(lesson.requests())
        assert {(one.event, one.relation) for one in requests} == {
            (event, one.name) for event in events for one in relations
        }
        for relation in relations:
            texts = [one.prompt.text for one in requests if one.relation == relation.name]
            before = min(text.index("Alex") for text in texts)  # whom the examples never name
            common = len(os.path.commonprefix(texts))  # noqa: RUF071 - characters, as wanted
            assert (common >= before) == (interface == "local"), relation.name


@only_thorough
@pytest.mark.timeout(900)  # the model may have to be converted first
def test_the_model_that_comes_with_pip_writes_tails(gemma: Path, graph: KnowledgeGraph, tmp_path: Path) -> None:  # noqa: ARG001
    events = ("PersonX misses the last bus home", "PersonX burns PersonY's birthday cake")
    plan = Plan(
        "inferences", "gemma", "local", None, "paper", "en", 4, events, relations=(Vocabulary.load("skd")["xReact"],)
    )
    taught = generate_inferences(graph, Teaching(Workspace(tmp_path), plan))
    edges = list(graph.edges())
    assert {edge.triple.head for edge in edges} == set(events)
    assert all(-10 < edge.logprob < 0 and "\n" not in edge.triple.tail for edge in edges)
    assert origin_of_run(graph.run(taught.run)) == "gemma"


def test_without_the_model_that_comes_with_pip_a_run_ends_in_a_sentence(
    graph: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged, "find_package", lambda: None)
    plan = Plan("inferences", "gemma", "local", None, "paper", "en", 1, ("PersonX naps",),
                relations=(Vocabulary.load("skd")["xReact"],))  # fmt: skip
    with pytest.raises(NotReady, match=r"skd-graph\[lm\]"):
        generate_inferences(graph, Teaching(Workspace(tmp_path), plan))
    with pytest.raises(NotReady, match=r"skd-graph\[lm\]"):
        local.make_ready("gemma")

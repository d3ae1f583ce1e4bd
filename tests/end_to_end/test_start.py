"""What a command that only asks the graph loads, and how much memory it takes."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "torch", "transformers", "sklearn", "scipy", "numpy", "pandas", "polars", "pyarrow", "pyoxigraph", "networkx",
    "rdflib", "jgo", "openai", "nltk", "jinja2", "tqdm",
)  # fmt: skip
MEGABYTE = 1024 * 1024

SCRIPT = f"""
import json, sys
from kg.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
import psutil
print(json.dumps([loaded, psutil.Process().memory_info().rss]))
"""


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("arguments", [
    ["query", "RETURN 1 AS one"], ["query", "hubs", "--json"], ["stats"], ["runs", "list"], ["query"],
], ids=" ".join)  # fmt: skip
def test_a_command_that_asks_loads_nothing_heavy(arguments: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    loaded, size = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    assert size < 150 * MEGABYTE


def test_numpy_is_there_again_once_the_driver_is_imported() -> None:
    script = (
        "import numpy, sys\n"
        "import kg.store.bolt\n"
        "assert sys.modules['numpy'] is numpy\n"
        "import pyarrow, neo4j\n"
        "assert pyarrow.array([1]).to_pylist() == [1] and neo4j._optional_deps.np is None\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

"""The `kg` command in a process of its own, forked from one that has imported the heavy libraries already.

It is the real command with its own environment, folder and output; only the seconds that importing takes are saved.
Servers that tests and these commands start live for seconds or minutes, so Java compiles for them once and fast, and
not a second time and well. A private server that died comes back with the next command only, so these commands try it
for seconds. Commands that tests start as new processes have the flags and seconds of the product.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kg.graph import connection
from kg.server import home

HEAVY = (
    "neo4j", "openai", "sklearn.linear_model", "torch", "transformers", "pyarrow", "rdflib", "networkx", "kg.cli",
    "kg.distill", "student.generator.training",
)  # fmt: skip
How = Callable[[list[str], dict[str, str], str, str], None]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([*HEAVY])  # not this module: there the path does not begin with our folder yet

home._JVM_FLAGS = (*home._JVM_FLAGS, "-XX:TieredStopAtLevel=1")  # noqa: SLF001
connection._PRIVATE_RETRY_SECONDS = 3  # noqa: SLF001


def run_here(arguments: list[str], environment: dict[str, str], folder: str, output: str) -> None:
    """Be `kg` from here on."""
    take_over(environment, folder, output)
    sys.argv = ["kg", *arguments]
    from kg.cli import main  # noqa: PLC0415 - imported already

    main()


def start(
    arguments: Sequence[str], environment: dict[str, str], folder: Path, output: Path, *, how: How = run_here
) -> multiprocessing.Process:
    """Start `kg`; its output goes to `output` with `.out` and `.err`."""
    process = CONTEXT.Process(target=how, args=(list(arguments), environment, str(folder), str(output)))
    process.start()
    return process


def run(
    arguments: Sequence[str], environment: dict[str, str], folder: Path, output: Path, *, how: How = run_here
) -> subprocess.CompletedProcess[str]:
    """Run `kg` to its end."""
    process = start(arguments, environment, folder, output, how=how)
    process.join()
    out, err = (output.with_suffix(end).read_text(encoding="utf-8") for end in (".out", ".err"))
    return subprocess.CompletedProcess(["kg", *arguments], process.exitcode or 0, out, err)


def take_over(environment: dict[str, str], folder: str, output: str) -> None:
    """Give this process an environment, a folder, and files to write to."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, end in ((1, ".out"), (2, ".err")):
        file = os.open(Path(output).with_suffix(end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)

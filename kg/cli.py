"""`kg`: the command. It puts the stages together, and turns errors into one line."""

import sys

try:
    from kg import interrupts
except KeyboardInterrupt:
    sys.stderr.write("kg: interrupted\n")
    sys.exit(130)

with interrupts.at_once():
    import errno
    import os
    import shutil
    from enum import StrEnum
    from functools import partial
    from pathlib import Path
    from typing import Annotated

    import typer

    import critic.cli
    import ingest.cli
    import student.cli
    import student.metrics.cli
    from kg import __version__, improve_cli, judge_cli
    from kg.commands import export, init, lm, query, runs, server, sparql, vectors
    from kg.errors import InputError, KGError
    from kg.model import Split
    from kg.probing import cli as probing_cli
    from kg.recorded import LOCAL, NAMES, STRONG, TEACHERS
    from kg.terminal import guard, has_reader, say, say_json
    from kg.workspace import Workspace

_TRY_NEXT = """Try next:
  kg query review --limit 10
  kg export rdf graph.ttl --accepted"""
TeacherName = StrEnum("TeacherName", list(NAMES))  # type: ignore[misc] # the choices are those of the table
_OF_THE_STARTER = "  kg query why --param 'event=PersonX jams the office photocopier' --limit 10"

app = typer.Typer(
    help="A graph for Symbolic Knowledge Distillation: who claimed it, how sure the critic is, who learnt it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(server.app, name="server")
app.add_typer(ingest.cli.app, name="ingest")
app.add_typer(critic.cli.app, name="critic")
critic.cli.app.command()(judge_cli.judge)
app.add_typer(student.cli.app, name="student")
student.cli.app.command()(student.metrics.cli.answer)
student.cli.app.command()(improve_cli.improve)
app.command()(init.init)
app.command()(query.query)
app.command()(query.stats)
app.command()(export.export)
app.add_typer(runs.app, name="runs")
app.add_typer(lm.app, name="lm")
app.command()(probing_cli.probe)
app.add_typer(vectors.app, name="vectors")
app.command()(sparql.sparql)


@app.callback(invoke_without_command=True)
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Options of every command."""
    if version:
        say(__version__)
        raise typer.Exit
    if debug:
        os.environ["KG_DEBUG"] = "1"


@app.command("distill")
def distill_all(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A domain, as kg init makes one; without it, the starter corpus.", show_default=False),
    ] = None,
    kind: Annotated[
        student.cli.KindName | None,
        typer.Option(help="The only student to train; without it, all. The ranker takes seconds.", show_default=False),
    ] = None,
    teacher: Annotated[
        list[TeacherName] | None,
        typer.Option(
            help="Whose texts: those of the starter corpus, recorded from a large model (strong) or from Gemma 3 270M "
            "(weak), of which readers accept a quarter; or what Gemma writes here and now (local: 250 events and 8 "
            "tails for each relation; half an hour or more in all). Without it, strong and weak. Repeatable: each has "
            "students of its own.",
            show_default=False,
        ),
    ] = None,
    recall: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the good triples to keep.")] = 0.8,
    seed: Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Train critics and students again.")] = False,
) -> None:
    """Run the whole loop, on the starter corpus or on a domain of your own. A second run reuses what is there."""
    if folder and teacher:
        raise InputError(
            f"--teacher is for the starter corpus, and {folder} brings a teacher of its own; leave out one"
        )
    teachers = {one.value for one in teacher or ()} or {*TEACHERS}
    if folder is None:
        say(
            f"The whole loop: about {_duration(teachers)} on two idle cores, more at the first start; "
            "what is done is kept.",
            err=True,
        )
    from ingest.teacher.local import make_ready
    from kg.distill import distill, vocabulary_of
    from kg.encoder import Encoder
    from kg.graph.connection import open_graph
    from kg.language_model.opening import DEFAULT
    from student.kinds import KINDS

    if LOCAL in teachers:
        make_ready(DEFAULT)
    vocabulary = vocabulary_of(folder) if folder else None
    workspace = Workspace.default()
    if force:
        for name in ("critics", "students"):
            shutil.rmtree(workspace.root / name, ignore_errors=True)
    with open_graph(workspace) as graph:
        encoder = Encoder(None, workspace.folder("embeddings"))
        report, place = distill(
            graph, workspace, encoder, corpus=folder, teachers=teachers, vocabulary=vocabulary, recall=recall,
            kinds=(kind.value,) if kind else tuple(KINDS), seed=seed, say=partial(say, err=True),
        )  # fmt: skip
    query.print_markdown(report)
    say("", f"The report is in {place}", "", *_TRY_NEXT.split("\n"))
    if folder is None:
        say(_OF_THE_STARTER)


def _duration(teachers: set[str]) -> str:
    """Return how long the loop takes with the language model, as `kg.distill` counts it, which is dear to import."""
    if LOCAL in teachers:
        return "three quarters of an hour" if STRONG in teachers else "half an hour"
    if len(teachers) > 1:
        return "half an hour"
    return "eight minutes" if STRONG in teachers else "fifteen minutes"


@app.command("serve")
def serve_pages(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8137,
    host: Annotated[str, typer.Option(help="Name or address of this machine to serve at.")] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    other_machines: Annotated[
        bool, typer.Option("--other-machines", help="Serve at a host that other machines reach, unencrypted.")
    ] = False,
    api: Annotated[
        bool, typer.Option("--api", help="ConceptNet's read API and SPARQL, without a token, for all who reach it.")
    ] = False,
) -> None:
    """Look at the graph, judge it and choose thresholds, on pages in a browser, until Ctrl-C."""
    from kg.serve import serve

    serve(Workspace.default(), host, port, other_machines=other_machines, browser=open_browser, api=api)


@runs.app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run, as kg runs list names it.", show_default=False)],
    triple: Annotated[
        tuple[str, str, str] | None,
        typer.Option(metavar="HEAD RELATION TAIL", help="Show the teacher's raw reply that this triple came from."),
    ] = None,
) -> None:
    """Show all that is known of one run; with a triple, also the request and the raw reply that it came from."""
    import json

    from ingest.teacher.account import describe_run

    runs.show(run_id, describe_run(Workspace.default(), run_id))
    if triple:
        from ingest.teacher.provenance import find_reply

        request, reply = find_reply(Workspace.default(), run_id, *triple)
        content = {"at": request.url, "key": request.key, "request": request.body, "reply": json.loads(reply.raw)}
        say_json(content, indent=2)


@student.cli.app.command("evaluate")
def evaluate_student(
    judgements: Annotated[
        Path | None, typer.Option(help="Fresh verdicts on the student's own predictions, to correct the estimate with.")
    ] = None,
    split: Annotated[Split, typer.Option(help="Whose events.")] = "test",
    student_id: Annotated[
        list[str] | None,
        typer.Option("--student", metavar="ID", help="Which student; without it, the newest. Repeatable."),
    ] = None,
    encoder: student.cli.EncoderName = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")] = 0,
    outputs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Measure these outputs instead, in COMET-ATOMIC-2020's form, as its paper did. Repeatable: systems "
            "are measured on the prefixes that all of them answer.",
        ),
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Their references, 'head @@ relation<TAB>tail| tail'; without it, their own."
        ),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Triples that they were trained on, head TAB relation TAB tail: what is new, and what retrieval says.",
        ),
    ] = None,
    conceptnet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Triples to train Li et al.'s classifier on, which scores ConceptNet's tails."
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --conceptnet: Li et al.'s labelled triples; how many it tells right, and by "
            "which threshold most.",
        ),
    ] = None,
    bertscore: Annotated[str | None, typer.Option(metavar="NAME|PATH", help="The model that BERTScore takes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for each file of outputs.")] = False,
) -> None:
    """Estimate how good a student's inferences are, beside the teacher's and what retrieval would have said.

    With --outputs, measure files by BLEU, ROUGE-L, CIDEr, METEOR and BERTScore, COMET's protocol and diversity.
    """
    if outputs:
        if judgements or student_id:
            raise InputError("--outputs measures files: leave out --judgements and --student")
        if labelled and not conceptnet:
            raise InputError("--labelled is for the classifier of --conceptnet FILE")
        student.metrics.cli.evaluate_files(
            outputs, references, training, conceptnet, labelled, bert=bertscore, encoder=encoder, as_json=as_json
        )
        return
    if references or training or conceptnet or labelled or bertscore or as_json:
        raise InputError(
            "--references, --training, --conceptnet, --labelled, --bertscore and --json are for --outputs FILE"
        )
    from critic.judgements import read_judgements
    from kg.encoder import Encoder
    from kg.evaluate import evaluate
    from kg.graph.connection import open_graph
    from student.files import read_manifest
    from student.runs import open_student

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        chosen = student_id or [open_student(graph, workspace)[0]]
        verdicts = []
        if judgements:
            lang = str(read_manifest(workspace.place("students", chosen[0])).get("lang", "en"))
            verdicts = list(read_judgements(judgements, graph.vocabulary(), lang))
        judges = Encoder(encoder, workspace.folder("embeddings"))
        report, folder = evaluate(graph, workspace, judges, chosen, split=split, verdicts=verdicts, seed=seed)
    query.print_markdown(report)
    say("", f"The report is in {folder}")


def main() -> None:
    """Run the command; an error is one line on stderr and exit status 1, an interrupt one and 130.

    A reader of stdout that wants no more, like `head`, ends the command without a word.
    """
    try:
        _run()
    except KeyboardInterrupt:  # while an error or a first interrupt was told
        interrupts.leave()


def _run() -> None:
    guard()
    try:
        with interrupts.none_lost():
            app()
    except SystemExit as stop:
        if stop.code == interrupts.STATUS:  # typer has turned the interrupt into this
            say(_interrupted(stop.__context__ and stop.__context__.__cause__), err=True)
        elif isinstance(stop.__context__, BrokenPipeError) and has_reader():  # typer takes it for stdout's
            if os.environ.get("KG_DEBUG"):
                raise stop.__context__ from None
            say(f"kg: {_told(stop.__context__)}", err=True)
        raise
    except BaseException as error:
        if interrupts.is_interrupt(error):
            say(_interrupted(error), err=True)
            sys.exit(interrupts.STATUS)
        if os.environ.get("KG_DEBUG"):
            raise
        say(f"kg: {_told(error)}", err=True)
        sys.exit(1)


def _interrupted(error: BaseException | None) -> str:
    hint = str(error or "") if isinstance(error, KeyboardInterrupt) else ""
    done = f"{hint} goes on where it stopped" if hint else "the same command does what is left, or all of it again"
    return f"kg: interrupted; {done}"


def _told(error: BaseException) -> str:
    """Return an error as one line of text."""
    if isinstance(error, KGError):
        return str(error)
    if isinstance(error, BrokenPipeError):
        return "a process that this command had begun ended before it; run the command again"
    if isinstance(error, OSError):
        what = error.filename or f"a file below {os.environ.get('KG_HOME') or '.kg'}"
        room = "; make room there and run the command again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return f"cannot use {what}: {error.strerror or error}{room}"
    if isinstance(error, MemoryError):
        return "this machine has too little memory for that"
    if isinstance(error, UnicodeError):
        return f"a text or a file name has a character that is no Unicode: {error}"
    why = next(iter(str(error).splitlines()), "")
    return f"an error that nobody foresaw, {type(error).__name__}: {why} (kg --debug shows where; please report it)"

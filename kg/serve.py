"""`kg serve`: the web application, with what the stages do in its hands."""

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from kg.errors import InputError, KGError
from kg.graph.connection import open_graph
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Task
from kg.model import Acceptance
from kg.terminal import say
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

_HOW_TO_GET = "the web application is not installed: pip install 'skd-graph[web]'"


def serve(
    workspace: Workspace, host: str, port: int, *, other_machines: bool = False, browser: bool = False, api: bool = True
) -> None:
    """Serve the web application until Ctrl-C.

    Args:
        workspace: whose graph, critics and students it shows.
        host: a name or address of this machine.
        port: 0 takes a free one.
        other_machines: whether `host` may be one that other machines reach.
        browser: whether to open it in a browser.
        api: whether ConceptNet's read API and SPARQL need no token.

    Raises:
        InputError: the extra is not installed, the port is taken, or other machines would reach it unasked.
        ServerError, StoreError: the database cannot be used.
    """
    try:
        from kg.service.app import is_api, make_api  # noqa: PLC0415 - may be absent
        from kg.web import running  # noqa: PLC0415 - may be absent
        from kg.web.app import make_app  # noqa: PLC0415
        from kg.web.guard import owner_and  # noqa: PLC0415
        from kg.web.link import Link  # noqa: PLC0415
        from kg.web.site import Site  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("fastapi", "starlette", "uvicorn"):
            raise InputError(_HOW_TO_GET) from error
        raise
    if not running.is_loopback(host) and not other_machines:
        raise InputError(
            f"{host} can be reached from other machines, and what goes there is not encrypted; an SSH tunnel to "
            "127.0.0.1 is safer, --other-machines serves there all the same"
        )
    token = secrets.token_urlsafe(32)
    listening = running.listen(host, port)
    if not running.is_loopback(host):
        say("What goes to other machines is not encrypted, and who reads it has the token.", err=True)
    if api:
        say(
            "ConceptNet's read API (/docs) and SPARQL (/sparql) are there, too: who reaches the port, and any site "
            "open in your browser, may read the graph by them.",
            err=True,
        )
    with Link(partial(open_graph, workspace)) as link:
        site = Site(link, stages_of(workspace))

        def make(found: int) -> Any:
            hosts = running.hosts_of(host, found)
            who = owner_and(token, partial(_annotator, workspace))
            unguarded = (make_api(site), is_api) if api else None
            return make_app(site, hosts=hosts, who=who, cookie=f"kg-{found}", unguarded=unguarded)

        try:
            running.serve(make, listening, host, token, browser=browser)
        finally:
            site.kept.close()


def stages_of(workspace: Workspace) -> Any:
    """Return what the pages need of the stages, as `kg.web.site.Stages`."""
    from kg.web.site import Stages  # noqa: PLC0415 - belongs to an extra

    def calibrate(recall: float) -> str:
        from critic.runs import calibrate_critic  # noqa: PLC0415 - heavy

        with open_graph(workspace) as graph:
            return calibrate_critic(graph, workspace, recall=recall).id

    def accept_from(threshold: float) -> str:
        from critic.runs import calibrate_critic  # noqa: PLC0415 - heavy

        with open_graph(workspace) as graph:
            return calibrate_critic(graph, workspace, threshold=threshold).id

    def choose(graph: KnowledgeGraph, **wish: float) -> Acceptance:
        from critic.runs import choose_acceptance  # noqa: PLC0415 - heavy

        return choose_acceptance(graph, workspace, **wish)[0]

    return Stages(
        by_recall=_by_recall,
        calibrate=calibrate,
        accept_from=accept_from,
        choose=choose,
        compare=_compare,
        curves=_curves,
        critic_files=lambda: _files(workspace.place("critics"), "manifest", "report"),
        student_files=lambda: _files(workspace.place("students"), "manifest", "metrics"),
        replies=_Replies(workspace),
        judging=_Judging(),
        rdf=workspace.place("sparql"),
    )


def _annotator(workspace: Workspace, token: str) -> str | None:
    from critic.annotators import annotator_of  # noqa: PLC0415

    return annotator_of(workspace, token)


def _by_recall(graph: KnowledgeGraph, acceptance: Acceptance | None = None) -> Sequence[Mapping[str, Any]]:
    from critic.estimators import wilson  # noqa: PLC0415 - heavy
    from critic.filtering import by_recall  # noqa: PLC0415
    from critic.machines import machines_among  # noqa: PLC0415
    from critic.verdicts import split_verdicts  # noqa: PLC0415
    from kg.entrants import names_of_teachers  # noqa: PLC0415
    from kg.identity import head_id  # noqa: PLC0415

    judgements = graph.judgements()
    splits = graph.splits_of(sorted({head_id(judgement.triple) for judgement in judgements}))
    machines = machines_among(graph)
    people = split_verdicts([one for one in judgements if one.annotator not in machines], "test", splits)
    found = people if people.triples else split_verdicts(judgements, "test", splits)
    verdicts = dict(zip(found.triples, map(bool, found.good), strict=True))
    who = "people" if people.triples else "machines"
    return [
        row | {"who": who, "interval": wilson(row["good"] / row["judged"], row["judged"]) if row["judged"] else None}
        for row in by_recall(graph, verdicts, names_of_teachers(graph.runs()), acceptance)
    ]


def _compare(graph: KnowledgeGraph, one: str, other: str) -> Any:
    from critic.comparison import compare  # noqa: PLC0415 - heavy

    return compare(graph, one, other)


def _curves(graph: KnowledgeGraph, critic: str) -> Mapping[str, Any]:
    from critic.curves import curves  # noqa: PLC0415 - heavy

    return curves(graph, critic)


def _files(folder: Path, *names: str) -> dict[str, dict[str, Any]]:
    """Return for each folder in a folder, by its name, the objects in its JSON files; what is not there is left out."""
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(folder.glob("[!.]*")):
        for name in names:
            with suppress(OSError, ValueError):
                content = json.loads((one / f"{name}.json").read_text(encoding="utf-8"))
                if isinstance(content, dict):
                    found.setdefault(one.name, {})[name] = content
    return found


class _Replies:
    """Raw replies of the teachers in a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def has(self, run: str) -> bool:
        """Return whether a run is one of a live teacher in this workspace."""
        from ingest.teacher.plan import has_plan  # noqa: PLC0415 - heavy

        try:
            return has_plan(self._workspace, run)
        except KGError:  # an id from elsewhere that names no folder
            return False

    def find(self, run: str, head: str, relation: str, tail: str) -> Mapping[str, Any]:
        """Return the request that a triple came from, and its reply; see `ingest.teacher.provenance.find_reply`."""
        from ingest.teacher.provenance import find_reply  # noqa: PLC0415 - heavy

        request, reply = find_reply(self._workspace, run, head, relation, tail)
        return {"at": request.url, "key": request.key, "request": request.body, "reply": json.loads(reply.raw)}


class _Judging:
    """What judging on a page needs of the critic."""

    def __init__(self) -> None:
        from critic.annotators import user_name  # noqa: PLC0415
        from critic.judging import VERDICTS  # noqa: PLC0415
        from critic.ways import WAYS  # noqa: PLC0415

        try:
            self.owner = user_name()
        except InputError:  # the system has no name for this user
            self.owner = "owner"
        self.verdicts = VERDICTS
        self.ways = {name: way.does for name, way in WAYS.items()}

    def ask(self, task: Task, vocabulary: Vocabulary) -> Any:
        """Return a task as an annotator sees it; see `critic.judging.ask`."""
        from critic.judging import ask  # noqa: PLC0415

        return ask(task, vocabulary)

    def draw(self, graph: KnowledgeGraph, **options: Any) -> str:
        """Draw a batch; see `critic.batches.draw_batch`."""
        from critic.batches import draw_batch  # noqa: PLC0415 - heavy

        return draw_batch(graph, **options).run

    def evidence(self, graph: KnowledgeGraph, run: Mapping[str, Any]) -> Any:
        """Return what the verdicts on a batch say; see `critic.evidence.evidence_of`."""
        from critic.evidence import evidence_of  # noqa: PLC0415 - heavy

        return evidence_of(graph, run)

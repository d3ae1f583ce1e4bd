"""Provenance: the reply that a triple came from, word for word.

A run's plan makes each of its requests again, and the cache has the reply under the request's key.
"""

from ingest.cleaning import clean_tails
from ingest.teacher.lesson import Lesson
from ingest.teacher.messages import Reply, Request
from ingest.teacher.plan import open_plan
from kg.errors import NotFound
from kg.workspace import Workspace


def find_reply(workspace: Workspace, run_id: str, head: str, relation: str, tail: str) -> tuple[Request, Reply]:
    """Return the request and the reply that a triple came from.

    Raises:
        NotFound: the run is none of a live teacher in this workspace, or the triple did not come from it.
    """
    plan = open_plan(workspace, run_id)
    if head not in plan.texts or relation not in {asked.name for asked in plan.relations}:
        raise NotFound(f"{head!r} {relation} was not asked about by run {run_id}")
    with Lesson.open(workspace, plan) as lesson:
        found = lesson.find(lesson.inference_request(head, relation))
    if found:
        request, reply = found
        names, text = request.prompt.names, request.prompt.text
        if tail in clean_tails(reply.completions, names, event=head, prompt=text, lang=plan.lang).kept:
            return found
    raise NotFound(f"{head!r} {relation} {tail!r} did not come from run {run_id}")

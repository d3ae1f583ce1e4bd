"""Provenance: the reply that a triple came from, word for word.

A run's plan makes each of its requests again, and the cache has the reply under the request's key.
"""

from ingest.cleaning import clean_tails
from ingest.teacher.cache import ReplyCache
from ingest.teacher.messages import Reply, Request
from ingest.teacher.plan import open_plan, open_teacher
from ingest.teacher.prompts import Prompts
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
    teacher, prompts = open_teacher(plan), Prompts(plan.prompts)
    request = plan.request(teacher, prompts, head, relation)
    with ReplyCache.open(workspace.folder("replies")) as cache:
        teacher.dialect = cache.dialect(teacher.server)
        found = ((form, cache.get(form)) for form in teacher.forms(request))
        request, reply = next((pair for pair in found if pair[1]), (request, None))
    prompt = prompts.for_inferences(head, relation)
    said = reply.completions if reply else ()
    cleaned = clean_tails(said, prompt.names, event=head, prompt=prompt.text, lang=plan.lang)
    if reply is None or tail not in cleaned.kept:
        raise NotFound(f"{head!r} {relation} {tail!r} did not come from run {run_id}")
    return request, reply

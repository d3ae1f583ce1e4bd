"""Generate inferences: events and relations become prompts, and what a live teacher goes on with becomes triples.

West et al. 2021, section 3.3. Each prompt's tails go into the graph on their own, in whatever order replies come, so
a run that was interrupted and resumed ends with the graph of one that was not.
"""

from collections.abc import Iterator
from typing import Any

from ingest.cleaning import clean_tails
from ingest.teacher.plan import Plan
from ingest.teacher.run import Taught, Teaching
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id
from kg.model import Assertion, Triple
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace


def generate_inferences(graph: KnowledgeGraph, workspace: Workspace, plan: Plan, **options: Any) -> Taught:
    """Ask a live teacher for the inferences of a plan, and write them into the graph.

    Args:
        graph: where they go.
        workspace: where replies are kept, and the run's folder is.
        plan: what is asked.
        options: of `Teaching`: budget_usd, in_flight, timeout_seconds, progress.

    Raises:
        TeacherError: the teacher cannot be used.
    """
    with Teaching(workspace, plan, **options) as teaching:
        graph.add_vocabulary(Vocabulary(plan.relations))
        graph.begin(teaching.run)
        offered, added = graph.add(_assertions(teaching), teaching.run)
        return teaching.finish(graph, offered, added)


def _assertions(teaching: Teaching) -> Iterator[Assertion]:
    plan = teaching.plan
    events = {phrase_id(event, plan.lang): event for event in plan.texts}
    for outcome in teaching.ask(plan.requests(teaching.teacher, teaching.prompts)):
        key, _, relation = outcome.request.id.partition("-")
        prompt = teaching.prompts.for_inferences(events[key], relation)
        cleaned = clean_tails(
            outcome.reply.completions if outcome.reply else (), prompt.names, event=events[key],
            prompt=prompt.text, lang=plan.lang,
        )  # fmt: skip
        teaching.note(outcome.request.id, cleaned)
        for tail, one in cleaned.kept.items():
            yield Assertion(Triple(events[key], relation, tail, plan.lang), logprob=one.logprob)

"""Generate inferences: events and relations become prompts, and a live teacher's texts become triples.

West et al. 2021, section 3.3. Each prompt's tails go into the graph on their own, in whatever order replies come, so
a run that was interrupted and resumed ends with the graph of one that was not.
"""

from collections.abc import Iterator

from ingest.cleaning import clean_tails
from ingest.teacher.run import Taught, Teaching
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.vocabulary import Vocabulary


def generate_inferences(graph: KnowledgeGraph, teaching: Teaching) -> Taught:
    """Ask a live teacher for the inferences of a plan, and write them into the graph.

    Args:
        graph: where the inferences go.
        teaching: of a plan for inferences; opened and closed here.

    Raises:
        TeacherError: the teacher cannot be used.
    """
    with teaching:
        graph.add_vocabulary(Vocabulary(teaching.lesson.plan.relations))
        graph.begin(teaching.lesson.run)
        offered, added = graph.add(_assertions(teaching), teaching.lesson.run)
        return teaching.finish(graph, offered, added)


def _assertions(teaching: Teaching) -> Iterator[Assertion]:
    lang = teaching.lesson.plan.lang
    for outcome in teaching.ask(teaching.lesson.requests()):
        request, prompt = outcome.request, outcome.request.prompt
        cleaned = clean_tails(
            outcome.reply.completions if outcome.reply else (), prompt.names, event=request.event,
            prompt=prompt.text, lang=lang,
        )  # fmt: skip
        teaching.note(request.id, cleaned)
        for tail, one in cleaned.kept.items():
            yield Assertion(Triple(request.event, request.relation, tail, lang), logprob=one.logprob)

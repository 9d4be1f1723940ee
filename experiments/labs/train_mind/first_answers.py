"""What the model said before its training, kept beside the checkpoint: who goes on need not ask again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import DataError
from groundlings.experiments.archive.directory import write_json
from groundlings.experiments.labs.train_mind.config import FIRST_ANSWERS
from groundlings.experiments.labs.train_mind.probe import Completions, Told
from groundlings.experiments.labs.train_mind.scoring import Said

_ANEW = "delete it to ask again, or train anew without --resume"


def keep_first_answers(directory: Path, identity: str, said: Said, told: Told) -> None:
    """Write what a model said.

    Args:
        directory: Of the training.
        identity: What a checkpoint of this training is made from.
        said: Of all groups.
        told: Of whom it will learn from.
    """
    content = {
        "identity": identity,
        "said": {**asdict(said), "scores": plain_scores(said.scores)},
        "told": {
            "histories": plain_scores(told.histories),
            "titles": plain_scores(told.titles),
            "completions": asdict(told.completions),
        },
    }
    write_json(directory / FIRST_ANSWERS, content)


def first_answers(directory: Path, identity: str) -> tuple[Said, Told] | None:
    """What was kept; None where nothing was.

    Raises:
        DataError: It is damaged, or of another training.
    """
    path = directory / FIRST_ANSWERS
    if not path.exists():
        return None
    try:
        kept = json.loads(bounded_text(path, regular=True))
        of, said, told = kept["identity"], kept["said"], kept["told"]
        completions = {key: (int(first), int(second)) for key, (first, second) in told["completions"].items()}
        found = (
            Said(scores_of(said["scores"]), *(int(said[key]) for key in ("asked", "unreadable", "tokens"))),
            Told(scores_of(told["histories"]), scores_of(told["titles"]), Completions(**completions)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise DataError(
            f"{path}: cannot be read as what the model said before its training ({fault}); {_ANEW}"
        ) from None
    if of != identity:
        raise DataError(f"{path}: is of another file, data set or base model; expected the same; {_ANEW}")
    return found


def plain_scores(scores: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Scores as JSON has them: lists of numbers, None where an answer could not be read."""
    return {name: np.where(np.isnan(each), np.array(None), each).tolist() for name, each in scores.items()}


def scores_of(lists: Mapping[str, Any]) -> dict[str, FloatArray]:
    """The scores that `plain_scores` made lists of."""
    return {name: np.array(each, dtype=np.float64) for name, each in lists.items()}

"""The figures of one arm, person by person, and where they are kept so that the same arm is measured once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.paths import CACHE_VARIABLE, user_cache
from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.experiments.analysis.comparison.held_out import RepeatShares
from groundlings.experiments.config.loading import with_effect
from groundlings.experiments.config.schema import ArmConfig
from groundlings.experiments.running.held_out.extrapolation import ExtrapolatedLikes
from groundlings.experiments.running.kept_values import read_kept, write_kept
from groundlings.experiments.running.plan import Plan

VERSION = 4
"""Another version measures something else; figures of earlier ones are not read."""


@dataclass(frozen=True)
class Figures:
    """One arm, measured.

    Attributes:
        ndcg, hit: Of each person of `Sample.users`, shape (n,).
        new: nDCG of new items in lists that hold no others, shape (n,), NaN for a person without any; None where no
            list holds others.
        repeats: Of the items shown in the browsing people's sessions with this run's mind; None where none was known.
        clicks: Audience -> expected clicks per session of each person of `Sample.browsing`, shape (m,).
        likes: Expected likes of the same people before this run's mind; None where P(like) is not extrapolated.
    """

    ndcg: FloatArray
    hit: FloatArray
    clicks: Mapping[str, FloatArray]
    new: FloatArray | None = None
    repeats: RepeatShares | None = None
    likes: ExtrapolatedLikes | None = None


def cache_directory() -> Path:
    """Where figures are kept: `$GROUNDLINGS_CACHE/held-out`, else the user's cache directory."""
    return user_cache(CACHE_VARIABLE) / "held-out"


def kept(path: Path | None) -> Figures | None:
    """Figures that were measured before, None where there are none; a damaged or edited file counts as none."""
    if path is None:
        return None
    try:
        content = read_kept(path)
        clicks = {str(name): np.array(values, dtype=np.float64) for name, values in content["clicks"].items()}
        new = _numbers(content["new"]) if "new" in content else None
        ndcg, hit = (np.array(content[name], dtype=np.float64) for name in ("ndcg", "hit"))
        repeats = RepeatShares(**content["repeats"]) if "repeats" in content else None
        likes = None
        if "likes" in content:
            likes = ExtrapolatedLikes(**{name: _numbers(values) for name, values in content["likes"].items()})
        return Figures(ndcg, hit, clicks, new, repeats, likes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keep(path: Path | None, figures: Figures) -> None:
    """Keep figures for another run; where the cache cannot be written, they are measured again next time."""
    if path is None:
        return
    content: dict[str, Any] = {
        "ndcg": figures.ndcg.tolist(),
        "hit": figures.hit.tolist(),
        "clicks": {name: values.tolist() for name, values in figures.clicks.items()},
    }
    if figures.new is not None:
        content["new"] = _plain(figures.new)
    if figures.repeats is not None:
        content["repeats"] = asdict(figures.repeats)
    if figures.likes is not None:
        content["likes"] = {each.name: _plain(getattr(figures.likes, each.name)) for each in fields(figures.likes)}
    write_kept(path, content)


def place_of(plan: Plan, arm: ArmConfig, audiences: tuple[str, ...]) -> Path | None:
    """The file that an arm's figures are kept in; None where two arms could not be told apart.

    What the figures depend on is in the name: data, split, agents, seed, mind, environment, the arm's recommender with
    its options and code, and versions of packages. Python objects are not kept: their state has no name.

    Args:
        plan: The run.
        arm: One of its arms.
        audiences: Names of the audiences.
    """
    if arm.recommender.startswith(PYTHON_OBJECT) or not plan.identity or plan.supplied.mind is not None:
        return None
    config = with_effect(plan.config)
    parts = {name: value for name, value in plan.identity.items() if not name.startswith(("arms.", "metrics."))}
    ours = f"arms.{arm.name}."
    content: dict[str, Any] = {
        "version": VERSION,
        "audiences": audiences,
        "parts": parts,
        "arm": {name.removeprefix(ours): value for name, value in plan.identity.items() if name.startswith(ours)},
        "recommender": [arm.recommender, arm.options],
        "train": plan.split.train.fingerprint,
        "held_out": plan.split.test.fingerprint,
        "population": hashlib.sha256(plan.population.users.tobytes()).hexdigest(),
        **{key: config.get(key) for key in ("seed", "site", "environment", "mind", "split")},
    }
    name = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    return cache_directory() / f"{name[:32]}.json"


def _plain(values: FloatArray) -> list[float | None]:
    """As JSON has them: null for NaN."""
    return [None if np.isnan(value) else value for value in values.tolist()]


def _numbers(values: list[float | None]) -> FloatArray:
    """What `_plain` made plain."""
    return np.array(values, dtype=np.float64)

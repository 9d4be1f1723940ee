"""How arms meet people: in parallel worlds, in groups of their own, or on one list together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from groundlings.environments.arrays import IntArray
from groundlings.environments.random_streams import name_key

Part = Annotated[float, Field(gt=0)]

INTERLEAVED = "interleaved"
"""Name in the log of the one world in which two arms share every list."""


class _Design(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ParallelDesign(_Design):
    """Every agent lives in every arm, with the same luck: the sharpest design, and one that no test on people has."""

    kind: Literal["parallel"] = "parallel"
    """`parallel`."""


class SplitDesign(_Design):
    """Every agent lives in one arm, as people in a real A/B test do."""

    kind: Literal["split"]
    """`split`."""
    shares: dict[str, Part] = {}
    """Arm -> its part of the people; parts are divided by their sum. Without any, all arms get as many."""
    log: Literal["own", "shared"] = "own"
    """What recommenders learn from: `own` agents only, or everybody's, as in a real test whose arms share one log."""


class InterleavingDesign(_Design):
    """Two arms draft each list together (team draft), and clicks say whose items are preferred: a screen, no effect."""

    kind: Literal["interleaving"]
    """`interleaving`."""


def _spelled_out(design: Any) -> Any:
    return {"kind": design} if isinstance(design, str) else design


DesignConfig = Annotated[
    Annotated[ParallelDesign | SplitDesign | InterleavingDesign, Field(discriminator="kind")],
    BeforeValidator(_spelled_out),
]


def design_of(config: Mapping[str, Any]) -> ParallelDesign | SplitDesign | InterleavingDesign:
    """The design of a configuration as a log keeps it; files older than this key were all `parallel`."""
    read: TypeAdapter[ParallelDesign | SplitDesign | InterleavingDesign] = TypeAdapter(DesignConfig)
    return read.validate_python(config.get("design", "parallel"))


def shares_of(design: SplitDesign, arms: Sequence[str]) -> tuple[float, ...]:
    """The share of the people that each arm is to get, in the order of the arms; they add up to 1."""
    parts = [design.shares.get(arm, 1.0) for arm in arms]
    return tuple(part / sum(parts) for part in parts)


def assigned_arms(seed: int, user_ids: Sequence[str], shares: Sequence[float]) -> IntArray:
    """The arm that each agent lives in, by its position, shape (n_agents,).

    A draw of (seed, agent, "assignment") and of nothing else: the agents of a smaller population are in the arms that
    they have in a larger one, and whoever holds a log can work the assignment out again.

    Args:
        seed: The run's.
        user_ids: The data set's own id of each agent.
        shares: Of the people, one an arm, adding up to 1.
    """
    luck = np.array([name_key("assignment", seed, user_id) for user_id in user_ids], dtype=np.float64) / 2.0**63
    return np.minimum(np.searchsorted(np.cumsum(shares), luck, side="right"), len(shares) - 1).astype(np.int64)

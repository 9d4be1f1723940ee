"""How agents are assigned to arms: every agent in every arm, in one arm each, or with lists that two arms draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from groundlings.environments.arrays import IntArray
from groundlings.environments.random_streams import name_keys

if TYPE_CHECKING:
    from groundlings.experiments.config.schema import ArmConfig
    from groundlings.recommenders.base import AsyncRecommender
    from groundlings.simulator.arm import Arm
    from groundlings.simulator.assignment import Assignment
    from groundlings.simulator.log.writer import ArmRow

Part = Annotated[float, Field(gt=0, le=1e9)]

INTERLEAVED = "interleaved"
"""Name in the log of the one arm in which two arms share every list."""


class _Design(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ParallelDesign(_Design):
    """Every agent lives in every arm, with common random numbers: more precise than any test on real users."""

    kind: Literal["parallel"] = "parallel"
    """`parallel`."""


class SplitDesign(_Design):
    """Every agent lives in one arm, as users in a real A/B test do."""

    kind: Literal["split"]
    """`split`."""
    shares: dict[str, Part] = {}
    """Arm -> its share of the agents; shares are divided by their sum. All arms get the same share if absent."""
    log: Literal["own", "shared"] = "own"
    """What recommenders learn from: `own` agents only, or those of all arms, as in a real test with one shared log."""
    by: Literal["agents", "clusters"] = "agents"
    """What is assigned to an arm: `agents` one by one, or `clusters` of agents who have ties (`mind.social`), so that
    fewer ties join agents of different arms."""


class InterleavingDesign(_Design):
    """Two arms draft each list together (team draft); clicks show which arm's items are preferred, not an effect."""

    kind: Literal["interleaving"]
    """`interleaving`."""


def _spelled_out(design: Any) -> Any:
    return {"kind": design} if isinstance(design, str) else design


DesignConfig = Annotated[
    Annotated[ParallelDesign | SplitDesign | InterleavingDesign, Field(discriminator="kind")],
    BeforeValidator(_spelled_out),
]


def check_design(
    design: ParallelDesign | SplitDesign | InterleavingDesign, arms: Sequence[ArmConfig], *, planned: bool
) -> None:
    """Raise `ValueError` where a design does not suit its arms.

    Args:
        design: As the file has it.
        arms: All of them.
        planned: Whether the file declares what is to be decided.
    """
    names = [arm.name for arm in arms]
    if isinstance(design, SplitDesign):
        if len(names) < 2:
            raise ValueError(f"design: split divides people between arms, found {len(names)} arm")
        unknown = sorted(set(design.shares) - set(names))
        if design.shares and (unknown or set(names) - set(design.shares)):
            wrong = f"no arm is called {', '.join(unknown)}; " if unknown else ""
            raise ValueError(f"design.shares: {wrong}give each arm its part: {', '.join(names)}")
    if isinstance(design, InterleavingDesign):
        if len(names) != 2:
            raise ValueError(f"design: interleaving needs exactly two arms, found {len(names)}")
        if INTERLEAVED in names:
            raise ValueError(f"design: interleaving calls the arms' common arm {INTERLEAVED!r}; rename that arm")
        if arms[0].history != arms[1].history:
            raise ValueError("arms: interleaved recommenders learn from one log; give both the same `history`")
        if planned:
            raise ValueError(
                "plan: interleaving says which arm's items are preferred and measures no effect on a metric; take "
                "the plan out, or choose the design parallel or split"
            )


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
        shares: Of the people, one per arm, adding up to 1.
    """
    uniform = name_keys(("assignment", seed), user_ids).astype(np.float64) / 2.0**63
    return np.minimum(np.searchsorted(np.cumsum(shares), uniform, side="right"), len(shares) - 1).astype(np.int64)


def arranged(
    design: ParallelDesign | SplitDesign | InterleavingDesign,
    seed: int,
    user_ids: Sequence[str],
    arms: list[Arm],
    assignment: Assignment | None = None,
) -> list[list[Arm]]:
    """The arms as they live: those of a stage side by side, one log for all of them; stage after stage.

    Args:
        design: How arms meet people.
        seed: The run's.
        user_ids: The data set's own id of each agent.
        arms: One of each arm, for everybody.
        assignment: Who lives where, if ties may join agents of different arms: these arms live in one world.
    """
    match design:
        case SplitDesign() if assignment is not None:
            alone = design.log == "own"
            homes = assignment.homes
            return [[replace(arm, residents=homes == at, learns_alone=alone) for at, arm in enumerate(arms)]]
        case SplitDesign():
            home = assigned_arms(seed, user_ids, shares_of(design, [arm.name for arm in arms]))
            parted = [replace(arm, residents=home == place) for place, arm in enumerate(arms)]
            return [parted] if design.log == "shared" else [[arm] for arm in parted]
        case InterleavingDesign():
            from groundlings.recommenders.interleaving import TeamDraftRecommender

            first, second = arms
            drafting = TeamDraftRecommender(first.recommender, second.recommender)
            return [[replace(first, name=INTERLEAVED, recommender=drafting)]]
        case ParallelDesign():
            return [[arm] for arm in arms]


def arm_rows(
    design: ParallelDesign | SplitDesign | InterleavingDesign,
    arms: Sequence[ArmConfig],
    recommenders: Sequence[AsyncRecommender],
) -> tuple[ArmRow, ...]:
    """The arms as the log describes them; arms that share lists come before the arm in which they do.

    Args:
        design: How arms meet people.
        arms: As configured.
        recommenders: One of each arm, in the same order.
    """
    from groundlings.recommenders.interleaving import TEAM_DRAFT
    from groundlings.simulator.log.writer import ArmRow

    rows = [
        ArmRow(arm.name, arm.recommender, _logged_options(arm), recommender.sees_hidden_preference)
        for arm, recommender in zip(arms, recommenders, strict=True)
    ]
    if isinstance(design, InterleavingDesign):
        rows.append(ArmRow(INTERLEAVED, TEAM_DRAFT, {}, any(row.sees_hidden_preference for row in rows)))
    return tuple(rows)


def _logged_options(arm: ArmConfig) -> dict[str, Any]:
    """The options of an arm's recommender, with the rules and random slots around it."""
    return {**arm.options, **arm.model_dump(mode="json", include={"rules", "slots"}, exclude_none=True)}

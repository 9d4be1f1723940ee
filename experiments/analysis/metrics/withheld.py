"""What the assistants of `rah` withheld, and what the same users did with these items in an arm without assistants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundlings.environments.errors import ConfigError, UnreadableReply
from groundlings.recommenders.language.rah import TEMPLATE, read_disliked
from groundlings.recommenders.language.wording import candidates_shown, shown_name

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class WithheldOutcomes:
    """Pairs of a user and an item that an assistant left out; counts of one log, not estimates of others.

    Attributes:
        lists: Lists that assistants judged.
        unreadable: Of these, replies that could not be read; nothing was left out.
        hallucinated: Names that fit no candidate.
        withheld: Pairs left out at least once.
        liked: Of these, items that the user rated as a like in the other arm: harm.
        clicked: Items clicked there without a like (no rating, or a low one).
        passed: Items shown there and not clicked: use.
        not_known: Items that the other arm did not show to the user, or whose outcome is unknown.
    """

    lists: int
    unreadable: int
    hallucinated: int
    withheld: int
    liked: int
    clicked: int
    passed: int
    not_known: int


def withheld_outcomes(log: LogReader, *, arm: str, beside: str) -> WithheldOutcomes:
    """What became of items that assistants left out.

    Items are told apart by the names that the assistant was shown; where two items have one name, the outcome of the
    first one shown in the other arm counts.

    Args:
        log: A run's.
        arm: The arm with assistants.
        beside: An arm of the same users without; best the one whose recommender is the assistants' `of`.

    Raises:
        ConfigError: There is no such arm.
    """
    arms = {each.name: each.arm_id for each in log.visited_arms()}
    if missing := {arm, beside} - set(arms):
        raise ConfigError(
            f"found no sessions of an arm {sorted(missing)[0]!r} in the log, expected one of {', '.join(sorted(arms))}"
        )
    lists = unreadable = hallucinated = 0
    pairs: dict[tuple[int, str], None] = {}
    for call in log.replies_to(TEMPLATE):
        if call.arm_id != arms[arm]:
            continue
        lists += 1
        shown = candidates_shown(call.question)
        try:
            found = read_disliked(call.reply, shown)
        except UnreadableReply:
            unreadable += 1
            continue
        hallucinated += found.hallucinated
        pairs.update(dict.fromkeys((call.agent_id, shown[place]) for place in found.order))
    fates = _fates(log, arms[beside])
    counts = {"liked": 0, "clicked": 0, "passed": 0, "not_known": 0}
    for pair in pairs:
        counts[fates.get(pair, "not_known")] += 1
    return WithheldOutcomes(lists, unreadable, hallucinated, len(pairs), **counts)


def _fates(log: LogReader, arm_id: int) -> Mapping[tuple[int, str], str]:
    """(agent, item as assistants are shown it) -> what the agent did with it in an arm; the first time counts."""
    like_from = float(log.run()["like_from"])
    fates: dict[tuple[int, str], str] = {}
    for agent, title, year, clicked, rating in log.outcomes_by_title(arm_id):
        if clicked is not None:
            liked = rating is not None and rating >= like_from
            fate = "passed" if not clicked else "liked" if liked else "clicked"
            fates.setdefault((agent, shown_name(title, year)), fate)
    return fates

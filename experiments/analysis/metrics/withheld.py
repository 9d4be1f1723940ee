"""What the assistants of `rah` withheld, and what the same users did with these items in an arm without assistants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundlings.environments.errors import ConfigError, UnreadableReply
from groundlings.recommenders.language.rah import TEMPLATE, read_disliked
from groundlings.recommenders.language.wording import candidates_shown, shown_name

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader

_CALLS = """
SELECT agent_id, calls.status, messages, reply
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE arms.name = :arm AND substr(template, 1, {length}) = '{template}-'
ORDER BY call_id
"""

_SHOWN = """
SELECT agent_id, title, year, clicked, rating
FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN items USING (item_id)
WHERE arms.name = :arm
ORDER BY impression_id
"""


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
    names = set(log.query("SELECT name FROM arms").name)
    if missing := {arm, beside} - names:
        raise ConfigError(f"found no arm {sorted(missing)[0]!r} in the log, expected one of {', '.join(sorted(names))}")
    calls = log.query(_CALLS.format(length=len(TEMPLATE) + 1, template=TEMPLATE), arm=arm)
    unreadable = hallucinated = 0
    pairs: dict[tuple[int, str], None] = {}
    for call in calls.itertuples():
        shown = candidates_shown(json.loads(str(call.messages))[-1]["content"])
        try:
            found = read_disliked(str(call.reply), shown)
        except UnreadableReply:
            unreadable += 1
            continue
        hallucinated += found.hallucinated
        pairs.update(dict.fromkeys((int(str(call.agent_id)), shown[place]) for place in found.order))
    fates = _fates(log, beside)
    counts = {"liked": 0, "clicked": 0, "passed": 0, "not_known": 0}
    for pair in pairs:
        counts[fates.get(pair, "not_known")] += 1
    return WithheldOutcomes(len(calls), unreadable, hallucinated, len(pairs), **counts)


def _fates(log: LogReader, arm: str) -> Mapping[tuple[int, str], str]:
    """(agent, item as assistants are shown it) -> what the agent did with it in an arm; the first time counts."""
    like_from = float(log.run()["like_from"])
    fates: dict[tuple[int, str], str] = {}
    for row in log.query(_SHOWN, arm=arm).itertuples():
        clicked, rating = row.clicked, row.rating
        if clicked is None or clicked != clicked:
            continue
        year = None if row.year is None or row.year != row.year else int(float(str(row.year)))
        fate = "passed"
        if clicked:
            fate = "liked" if rating is not None and float(str(rating)) >= like_from else "clicked"
        fates.setdefault((int(str(row.agent_id)), shown_name(str(row.title), year)), fate)
    return fates

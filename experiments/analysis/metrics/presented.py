"""In whose words items were shown: slots with a line that a recommender chose, and what its keywords were made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundlings.environments.errors import UnreadableReply
from groundlings.recommenders.language.presenter import TEMPLATE, facts_shown, read_keywords

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(slots=True)
class Presented:
    """The slots of one arm whose recommender says something of items; counts of this log, not estimates of others.

    Attributes:
        slots: Impressions.
        presented: Of these, slots with a line; the others are shown in the catalogue's own words.
        fitting: Of these, slots whose line has a fact that fits a keyword.
        questions: Users whose keywords a language model was asked for.
        unread: Of these, replies that could not be read or were refused.
        nothing_named: Of these, readable replies that name no fact of the user's history.
        keywords: Names in readable replies.
        hallucinated: Of these, names that are no fact of the user's history.
    """

    slots: int
    presented: int
    fitting: int
    questions: int = 0
    unread: int = 0
    nothing_named: int = 0
    keywords: int = 0
    hallucinated: int = 0

    def sentence(self) -> str:
        """The counts in words."""
        told = (
            f"{self.presented:,} of {self.slots:,} slots show facts chosen by keywords, {self.fitting:,} of these a "
            "fact that fits one; the others show the catalogue's own words"
        )
        if not self.questions:
            return told
        return (
            f"{told}; a language model was asked for the keywords of {self.questions:,} users: {self.unread:,} replies "
            f"unreadable or refused, {self.nothing_named:,} name no fact, {self.hallucinated:,} of {self.keywords:,} "
            "names are no fact of the user's history"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def read_presented(log: LogReader) -> dict[int, Presented]:
    """arm_id -> in whose words its items were shown; arms whose recommender says nothing of items are absent."""
    found = {arm_id: Presented(*counts) for arm_id, counts in log.presented_by_arm().items()}
    for arm_id, status, question, reply in log.lessons_on(TEMPLATE) if found else ():
        if arm_id not in found:
            continue
        arm = found[arm_id]
        arm.questions += 1
        try:
            named = read_keywords(reply, facts_shown(question)) if status == "ok" else None
        except UnreadableReply:
            named = None
        if named is None:
            arm.unread += 1
            continue
        arm.nothing_named += not named.order
        arm.keywords += named.names
        arm.hallucinated += named.hallucinated
    return found

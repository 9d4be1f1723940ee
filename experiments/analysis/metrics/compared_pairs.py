"""What language models preferred of two items at a time, and what they gave to the place, counted from the calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from groundlings.environments.random_streams import name_key
from groundlings.recommenders.language.pairwise import TEMPLATE, pairs_shown, read_better
from groundlings.recommenders.learning import said_in

if TYPE_CHECKING:
    from groundlings.experiments.analysis.metrics.model_lists import ModelLists
    from groundlings.simulator.log.reader import LogReader


@dataclass(slots=True)
class ComparedPairs:
    """Pairs of candidates that one arm's model compared, counted.

    Attributes:
        questions: Questions about pairs; each is about all pairs of a list's candidates.
        unreadable, unanswerable: Of these, questions without a readable reply.
        answered: Pairs of the readable replies.
        first_won: Of these, pairs of which the first named was preferred: half of them without a preference for a
            place, because each item is first in half of its pairs.
        both_orders: Pairs answered in both orders, for one user with one history; 0 with one round.
        disagree: Of these, pairs of which the two replies prefer different items.
    """

    questions: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    answered: int = 0
    first_won: int = 0
    both_orders: int = 0
    disagree: int = 0

    @property
    def first_share(self) -> float | None:
        """First-named items preferred by pairs answered, None where there is none."""
        return self.first_won / self.answered if self.answered else None

    @property
    def disagreement_rate(self) -> float | None:
        """Pairs whose two orders disagree by pairs answered in both orders, None where there is none."""
        return self.disagree / self.both_orders if self.both_orders else None

    def count(self, status: str, better: Sequence[int] | None) -> None:
        """Add one question; `better` is what its reply says, None where it cannot be read."""
        self.questions += 1
        if status == "unanswerable":
            self.unanswerable += 1
        elif better is None:
            self.unreadable += 1
        else:
            self.answered += len(better)
            self.first_won += sum(each == 1 for each in better)

    def count_orders(self, one: Sequence[int], other: Sequence[int]) -> None:
        """Add two replies about the same pairs, of which one was shown the items of each pair exchanged."""
        self.both_orders += len(one)
        # Whoever prefers the same place in both prefers different items.
        self.disagree += sum(mine == its for mine, its in zip(one, other, strict=True))

    def sentence(self) -> str:
        """The counts in words."""
        if self.first_share is None:
            return "no pair is answered"
        told = (
            f"of {self.answered:,} pairs answered the first named is preferred in {self.first_won:,} "
            f"({100 * self.first_share:.1f} %)"
        )
        if self.disagreement_rate is None:
            return f"{told}, and none is answered in both orders"
        return (
            f"{told}, and of {self.both_orders:,} answered in both orders {self.disagree:,} "
            f"({100 * self.disagreement_rate:.1f} %) prefer another item in each"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "first_share": self.first_share, "disagreement_rate": self.disagreement_rate}


def count_pairs(log: LogReader, lists_of: Callable[[int], ModelLists]) -> None:
    """Add the pairs that the arms of a log compared to the counts of their lists.

    Args:
        log: The run's.
        lists_of: arm_id -> its counts.
    """
    # A question that is not met yet -> replies about the same pairs exchanged. The latest is met first: both questions
    # of a list stand together, and the same two may come again on a later day.
    waiting: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for each in log.replies_to(TEMPLATE):
        lists = lists_of(each.arm_id)
        lists.pairs = lists.pairs or ComparedPairs()
        before, shown = pairs_shown(each.question)
        better = said_in(each.reply, partial(read_better, pairs=len(shown))) if each.status == "ok" else None
        lists.pairs.count(each.status, better)
        lists.questions += 1
        lists.unanswerable += each.status == "unanswerable"
        lists.unreadable += better is None and each.status != "unanswerable"
        if better is None:
            continue
        about = (each.arm_id, each.agent_id, before)
        if met := waiting.get(name_key(*about, *shown)):
            lists.pairs.count_orders(met.pop(), better)
        else:
            waiting[name_key(*about, *((second, first) for first, second in shown))].append(better)

"""What agents took and what they were told of, day by day: what they may tell others, and what they remember.

It is made of what happened in the arm (`Notices`) and of what was said in it (`Hears`) alone, so that a resumed run has
the same.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.social_turns import Told
from groundlings.environments.ties import Ties
from groundlings.personas.memory import Memory, MemoryStore
from groundlings.personas.minds.language.text import one_line
from groundlings.personas.population import Population

_NAME_CHARACTERS = 40
TOLD_IMPORTANCE = 5.0
"""Of a memory of what was said or heard: about the middle of 1 to 10, because nobody measured it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """An item that an agent may tell of.

    Attributes:
        day: When it took it, or was told.
        item: Its number.
        rating: What it thought of it, NaN where it said nothing or was told.
        teller: Who told it, row of the data set; None for what it took itself.
    """

    day: int
    item: int
    rating: float = float("nan")
    teller: int | None = None


class Hearsay:
    """What the agents of one arm took, and heard of, in the last days.

    Args:
        population: Who the agents are.
        ties: Who knows whom, by rows of the data set.
        days: For how many days it can be told.
        memory: Gets what is heard.
        title_characters: Longest title in a memory.
    """

    def __init__(
        self, population: Population, ties: Ties, days: int, memory: MemoryStore, title_characters: int
    ) -> None:
        self._population, self._ties, self._days = population, ties, days
        self._memory, self._title_characters = memory, title_characters
        self._taken: dict[int, deque[Topic]] = defaultdict(deque)  # by row of the data set, oldest first
        self._heard: dict[int, deque[Topic]] = defaultdict(deque)
        self._told_last: dict[int, dict[int, int]] = defaultdict(dict)  # who heard -> who told -> on which day last

    @cached_property
    def _agent_of(self) -> dict[int, int]:
        return {int(user): agent for agent, user in enumerate(self._population.users)}

    @cached_property
    def _user_of(self) -> dict[str, int]:
        ids = self._population.people.user_ids
        return {ids[user]: int(user) for user in self._population.users}

    @cached_property
    def _item_of(self) -> dict[str, int]:
        return {item_id: item for item, item_id in enumerate(self._population.catalog.item_ids)}

    def took(self, day: int, interactions: Interactions) -> None:
        """Take note of what agents took on a day."""
        columns = (interactions.users.tolist(), interactions.items.tolist(), interactions.ratings.tolist())
        for user, item, rating in zip(*columns, strict=True):
            self._keep(self._taken[user], Topic(day, item, rating))

    def hear(self, day: int, told: Sequence[Told]) -> None:
        """Have everybody hear what was said to them on a day, and remember it."""
        for each in told:
            teller, item = int(self._population.users[each.agent]), self._item_of[each.about]
            hearers = [self._user_of[user_id] for user_id in each.to]
            whom = "everybody they know" if each.posted else "you"
            text = f"{self.name_of(teller)} told {whom} of {self._title(item)}: {one_line(each.words, len(each.words))}"
            for hearer in hearers:
                self._keep(self._heard[hearer], Topic(day, item, teller=teller))
                self._told_last[hearer][teller] = day
                self._memory.add(Memory(self._agent_of[hearer], day, "heard", text, TOLD_IMPORTANCE))

    def topics(self, agent: int, day: int, most: int) -> list[Topic]:
        """What an agent may tell of, each item once: what it took, the latest first, then what it heard of."""
        user = int(self._population.users[agent])
        found: dict[int, Topic] = {}
        for topic in (*reversed(self._taken[user]), *reversed(self._heard[user])):
            if topic.day >= day - self._days:
                found.setdefault(topic.item, topic)
        return list(found.values())[:most]

    def friends(self, agent: int, draws: Draws, most: int) -> list[int]:
        """Whom a prompt names, rows of the data set: who told the agent something last, then others as drawn."""
        user, ties = int(self._population.users[agent]), np.array(self.ties_of(agent), dtype=np.int64)
        last = self._told_last[user]
        order = draws.uniform("friends", ties) if len(ties) else np.zeros(0)
        drawn = zip(ties.tolist(), order.tolist(), strict=True)
        ranked = sorted(drawn, key=lambda tie: (-last.get(tie[0], -1), tie[1]))
        return [tie for tie, _ in ranked[:most]]

    def ties_of(self, agent: int) -> list[int]:
        """Everybody whom an agent knows, rows of the data set, ascending."""
        ties: list[int] = np.sort(self._ties.each_of(self._population.users[agent : agent + 1])[1]).tolist()
        return ties

    def name_of(self, user: int) -> str:
        """A person of the data set, as prompts name them."""
        return self.named(self._population.people.user_ids[user])

    def named(self, user_id: str) -> str:
        """The same by id."""
        return f"person {one_line(user_id, _NAME_CHARACTERS)}"

    def titled(self, item_id: str) -> str:
        """The title of an item by its id."""
        return self._title(self._item_of[item_id])

    def _keep(self, topics: deque[Topic], newest: Topic) -> None:
        """Add one, and drop those that no longer can be told: memory does not grow with the days of a run."""
        topics.append(newest)
        while topics[0].day < newest.day - self._days:
            topics.popleft()

    def _title(self, item: int) -> str:
        return one_line(self._population.catalog.titles[item], self._title_characters)

"""A conversing recommender of the registry, or your own class, as an arm."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

import numpy as np
from pydantic import Field

from groundlings.environments.catalog import Catalog
from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import Briefing, ChatSystem, reply_of
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.plugins import nearest
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import fitted
from groundlings.recommenders.conversation.registry import CHAT_SYSTEMS
from groundlings.recommenders.conversation.talking import Reply, Talk, TalkingRecommender

_KEPT = 64
"""Conversations whose systems are kept between turns; any other is told again what was said."""


@dataclass(frozen=True)
class SeenTools:
    """The site as systems know it here: a history, nothing to confirm, nothing to disclose."""

    seen: frozenset[str]

    def history(self) -> frozenset[str]:
        """See `SiteTools.history`."""
        return self.seen

    def must_confirm(self, item: str) -> bool:  # noqa: ARG002 - as the protocol has it
        """See `SiteTools.must_confirm`: never."""
        return False

    def notice(self, item: str) -> str:  # noqa: ARG002 - as the protocol has it
        """See `SiteTools.notice`: nothing."""
        return ""


class ChatRecommender(TalkingRecommender):
    """Converses as a system of `groundlings conversation` does: by rules, or by a class of your own.

    Systems are told the catalogue, how often each item was chosen, what the user has had, and what the user says. A
    conversation is a function of these: a system that is not at hand any more is made anew and told all that was said.

    Args:
        system: `random`, `popularity`, `listening`, `asking` or `elimination`, the name of a plug-in, or
            `module:Class` (docs/conversation.md).
        suggestions: How often it may suggest an item before it recommends one; 0 if the first item named is final.
        questions: Fields that it may ask about; all if absent.
    """

    def __init__(
        self,
        system: str = "asking",
        suggestions: Annotated[int, Field(ge=0, le=100_000)] = 20,
        questions: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__()
        found = CHAT_SYSTEMS.load(system, at="system")
        if not isinstance(found, type) or not all(callable(getattr(found, each, None)) for each in ("begin", "reply")):
            raise ConfigError(f"system: found {system}, which cannot converse; expected a class with begin and reply")
        if len({*(questions or ())}) < len(questions or ()):
            raise ConfigError(f"questions: found {', '.join(questions or ())}; expected each field once")
        self._system = cast("type[ChatSystem]", found)
        self._suggestions, self._questions = suggestions, questions
        self._open: OrderedDict[tuple[int, bytes, tuple[str, ...]], ChatSystem] = OrderedDict()

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `TalkingRecommender.fit`."""
        self.check_data(interactions, catalog)
        super().fit(interactions, catalog)
        self._open.clear()

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `AsyncRecommender.check_data`: items have the fields that it may ask about."""
        fields = Attributes.of_catalog(catalog).fields if self._questions else {}
        for place, field in enumerate(self._questions or ()):
            if field not in fields:
                raise ConfigError(
                    f"questions[{place}]: found {shown(field)}{nearest(field, fields)}; expected "
                    f"{'some of ' + ', '.join(fields) if fields else 'no such option: items have no attributes here'}"
                )

    def calls_per_list(self) -> Mapping[str, int]:
        """See `AsyncRecommender.calls_per_list`: none."""
        return {}

    async def answer(self, talks: Sequence[Talk], request: RankingRequest) -> Sequence[Reply]:  # noqa: ARG002
        """See `TalkingRecommender.answer`."""
        return [Reply(self._reply(talk)) for talk in talks]

    def _reply(self, talk: Talk) -> str:
        who = talk.user, talk.draws.who.tobytes()
        system = self._open.pop((*who, talk.messages[:-1]), None) or self._caught_up(talk)
        written = reply_of(system, talk.messages[-1])
        self._open[(*who, (*talk.messages, written))] = system
        if len(self._open) > _KEPT:
            self._open.popitem(last=False)
        return written

    def _caught_up(self, talk: Talk) -> ChatSystem:
        """A new system that has heard all but the user's last words."""
        attributes = fitted(self._attributes, self)
        counts = fitted(self._counts, self).astype(np.float64)
        questions = tuple(attributes.fields) if self._questions is None else self._questions
        tools = SeenTools(frozenset(attributes.item_ids[item] for item in np.flatnonzero(talk.had)))
        chance = np.random.default_rng(int(talk.draws.uniform("chat")[0] * 2**53))
        system = self._system()
        system.begin(Briefing(attributes, counts, questions, self._suggestions, tools, chance))
        for said in talk.messages[:-1:2]:
            system.reply(said)
        return system

"""A mind that converses by rule: people look for something like what they liked, and tell of it as their style has it.

Each session has a need of its own (`groundlings.personas.conversation.drawing`), drawn from the person's history.
Whether an item meets it is computed, and so is how much the person would like it: its place in the order of the
person's taste, 1 for the best of the catalogue and 0 for the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.environments.actions import Cells
from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray
from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import YES
from groundlings.environments.conversation.talk import HEARD
from groundlings.environments.conversation.talk_actions import (
    ACCEPT,
    BEST,
    GO_ON,
    REFUSE,
    SAY,
    SUITABLE,
    WORTH,
    Heard,
)
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.trace import NO_TRACE
from groundlings.personas.conversation.drawing import NeedDrawer
from groundlings.personas.conversation.need import Need
from groundlings.personas.conversation.styles import STYLES, Style
from groundlings.personas.conversation.user import ConversingUser
from groundlings.personas.mind import Shown, Situation
from groundlings.personas.population import Population
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.utility import Utility, UtilityWeights

CONVERSATION_ACTIONS = frozenset({SAY, ACCEPT, REFUSE, GO_ON, WORTH, BEST, SUITABLE})
"""What can be done in a conversation."""

_ORDER = UtilityWeights(appeal=1.0, liking=1.0)

_NEEDS_KEPT = 1 << 10

StyleName = Literal["patient", "terse", "expert", "vague"]


class RevealWeights(BaseModel):
    """How the wishes after the first one come to light, as weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    volunteer: float = Field(default=1.0, ge=0, le=1e9)
    """Said in the first message."""
    on_ask: float = Field(default=1.0, ge=0, le=1e9)
    """Said when the field is asked about."""
    hidden: float = Field(default=1.0, ge=0, le=1e9)
    """Never said: what does not meet it is refused."""

    @model_validator(mode="after")
    def _some(self) -> RevealWeights:
        if not self.volunteer + self.on_ask + self.hidden:
            raise ValueError("expected a weight above 0")
        return self


class TalkOptions(BaseModel):
    """What people look for, and how they talk; stated, not measured on real conversations."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    style: StyleName = "patient"
    """How they talk: `patient`, `terse`, `expert` or `vague` (docs/conversation.md)."""
    patience: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Turns of the system after which they leave; that of the style if absent."""
    wishes: Annotated[int, Field(ge=1, le=10)] = 3
    """Requirements of a need."""
    reveal: RevealWeights = RevealWeights()
    """How those after the first one come to light; the first is volunteered."""
    unanswerable: Annotated[float, Field(ge=0, le=1)] = 0.1
    """P(nothing in the catalogue meets a need): recommending nothing is then right."""


class ConversingOptions(TalkOptions):
    """How people talk by rule; stated, not measured on real conversations."""

    cohort_size: Annotated[int, Field(ge=1, le=1_000_000)] = 32
    """Conversations that go on side by side."""


class ConversingMind:
    """Converses by rule; no language model is asked.

    Args:
        population: Who the agents are.
        taste: What they like.
        options: How they talk.

    Attributes:
        kind: Its name in manifests.
    """

    actions = CONVERSATION_ACTIONS
    Options: ClassVar[type[TalkOptions]] = ConversingOptions
    kind = "conversing"

    def __init__(self, population: Population, taste: Taste, options: TalkOptions) -> None:
        self._options = options
        self._attributes = Attributes.of_catalog(population.catalog)
        if not self._attributes.fields:
            raise ConfigError(
                "mind: conversing draws what people look for from genres, years and features of items, and found none "
                "of these in the catalogue; name such columns of the items, or choose another mind"
            )
        chosen = population.train.chosen()
        self._had = chosen.met
        liked = np.isnan(chosen.ratings) | (chosen.ratings >= population.scale.like)
        self._liked = chosen.take(np.flatnonzero(liked)).met
        self._tastes = Utility(taste, _ORDER)
        reveal = options.reveal
        weights = (reveal.volunteer, reveal.on_ask, reveal.hidden)
        self._needs: dict[tuple[int, int, float], Need] = {}
        self._drawer = NeedDrawer(self._attributes, options.wishes, weights, options.unanswerable)
        self._check_needs(population)

    @property
    def cohort_size(self) -> int:
        """See `Mind.cohort_size`."""
        return self._options.cohort_size if isinstance(self._options, ConversingOptions) else 1

    @cached_property
    def style(self) -> Style:
        """How people talk."""
        style = STYLES[self._options.style]
        return style if self._options.patience is None else replace(style, patience=self._options.patience)

    def counts_shown(self) -> bool:
        """See `Notices.counts_shown`."""
        return False

    def notice(self, day: int, interactions: Interactions, shown: Shown) -> None:  # noqa: ARG002 - as the protocol has it
        """See `Notices.notice`: what was accepted before suits nobody again."""
        self._had = sp.csr_array(self._had + interactions.met)

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        page, legal = situation.page, situation.legal
        said: dict[str, Cells] = {name: legal.schema[name].idle(page) for name in self.actions if name in legal.schema}
        if HEARD in page.further:
            for row in range(len(situation.sessions)):
                self._turn(situation, row, said)
        return Decision.of(legal, page, NO_TRACE, **said)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        return {"kind": self.kind, **self._options.model_dump(mode="json")}

    def need(self, situation: Situation, row: int) -> Need:
        """What the person of a row of a situation looks for in this session."""
        user = int(situation.sessions.users[row])
        drawn = float(situation.sessions.draws.take(np.array([row])).uniform("need")[0])
        key = situation.sessions.day, user, drawn
        if key not in self._needs:
            if len(self._needs) >= _NEEDS_KEPT:
                self._needs.clear()
            chance = np.random.default_rng(int(drawn * 2**53))
            self._needs[key] = self._drawer.draw(_row(self._had, user), self._bases(user), self._worth(user), chance)
        return self._needs[key]

    def _bases(self, user: int) -> IntArray:
        """What the needs of somebody are drawn from: liked items that bear a wish, or else any items that do."""
        liked = self._drawer.bearing(_row(self._liked, user))
        return liked if len(liked) else self._drawer.bearing(_row(self._had, user))

    def _check_needs(self, population: Population) -> None:
        """Raise `ConfigError` where nothing can be said of what an agent looks for."""
        without = [user for user in population.users.tolist() if not len(self._bases(user))]
        if without:
            raise ConfigError(
                f"mind: {self.kind} draws what people look for from the genres, years and features of the items of "
                f"their history, and found none of these for {len(without):,} of {len(population):,} agents (the "
                f"first: user {shown(population.people.user_ids[without[0]])}); fill in such cells of the items that "
                "they chose, or leave these users out of the data"
            )

    def _turn(self, situation: Situation, row: int, said: Mapping[str, Cells]) -> None:
        """What one person says and does, put into the row of each column."""
        need, page = self.need(situation, row), situation.page
        heard: Heard | None = page.further[HEARD][row]
        person = ConversingUser(need, self.style, self._attributes, moves=page.number - 2)
        if heard is None:
            said[SAY][row], said[GO_ON][row] = person.open(), True
            said[SUITABLE][row] = need.suitable.sum()
            said[BEST][row] = need.utility[need.suitable].max(initial=0.0)
            return
        if heard.move is None:
            return
        item = int(page.items[row, 0])
        words = person.reply(heard.move)
        accepted = item != NO_ITEM and bool(need.suitable[item])
        if item != NO_ITEM:
            said[ACCEPT if accepted else REFUSE][row, 0] = True
        if accepted:
            said[WORTH][row, 0] = need.utility[item]
        said[SAY][row] = YES if accepted else words or None
        may_go_on = bool(situation.legal.offers(GO_ON, page)[row])
        said[GO_ON][row] = may_go_on and not accepted and person.ending is None

    def _worth(self, user: int) -> FloatArray:
        """The place of each item in the order of somebody's taste, 0 to 1, shape (n_items,)."""
        odds = self._tastes.catalog_log_odds(np.array([user]))[0]
        places = np.empty(len(odds))
        places[np.argsort(odds, kind="stable")] = np.arange(len(odds))
        return places / max(len(odds) - 1, 1)


def _row(matrix: sp.csr_array, user: int) -> IntArray:
    """Columns with an entry in a row."""
    return np.asarray(matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]], dtype=np.int64)

"""A mind without a language model: a choice model estimated on real histories, decided for thousands at once.

P(click | examined) = logistic(utility): `groundlings.personas.taste.utility` says what it is made of, and its constant
is known from a log of exposures, or makes the mean over random candidates equal `random_click_rate`. Where items may be
shown again, those that a person knows have the log-odds of `groundlings.personas.repeats.model` instead. All else, from
examination to leaving, is `groundlings.personas.minds.click_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from scipy.special import expit

from groundlings.environments.actions import ActionSchema, Cells
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.decision import Decision
from groundlings.environments.offers import Offers
from groundlings.personas.exposure.fatigue import RepeatFatigue
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import FEED_ACTIONS, SEARCH_ACTIONS, SHOP_ACTIONS, Situation
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.minds.browsing_parameters import (
    BrowsingParameters,
    described_browsing,
    named_exposures,
    settle,
)
from groundlings.personas.minds.click_model import (
    UNRATED_FIND,
    Browsing,
    known_items,
    settled_constant,
)
from groundlings.personas.minds.earlier_days import EarlierDays
from groundlings.personas.offers.market import Market
from groundlings.personas.population import Population
from groundlings.personas.repeats.model import RepeatModel
from groundlings.personas.search.options import SearchOptions
from groundlings.personas.search.searching import can_search, searching
from groundlings.personas.social.options import SocialOptions
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.utility import Utility

__all__ = ["UNRATED_FIND", "BehaviouralMind", "BehaviouralOptions"]


class BehaviouralOptions(BrowsingOptions):
    """How people browse; what they like is estimated from the data set."""

    social: SocialOptions | None = None
    """Ties between agents, and what agents hear from them of items (docs/social.md); agents have no contact if
    absent."""
    search: SearchOptions | None = None
    """What agents look for, and how they say it (docs/search-world.md); read where queries can be made, with the values
    below if absent."""


Handler: TypeAlias = "Callable[[BehaviouralMind, Situation, Decision], Cells]"
"""The column of one action: from the mind, the situation, and what has been decided about the actions before it."""


class BehaviouralMind(EarlierDays):
    """Decides by arithmetic on a taste; see the module for the model.

    Carts, purchases and quantities are decided by `groundlings.personas.offers.shopping`. A subclass takes further
    actions, or decides these otherwise, by adding a handler for each:

        class Shopper(BehaviouralMind):
            handlers = {"buy": buy}    # def buy(mind, situation, decision) -> cells

    Attributes:
        handlers: Action -> how it is decided, for actions beyond those of a paginated feed.
        Options: What the experiment file may say of a subclass that it names as `module:Class`.

    Args:
        population: Who the agents are.
        taste: What they like.
        options: How they browse.
        grounding: Their real held-out interactions; only grounded replay reads them.
        base_directory: Where the paths of `options.exposures`, `options.search` and `options.social` start.
        repeats: How likely people take up again what they know; None where no item is shown again.
        offers: Prices, stock and promotions by day; None where the data set has none.
        schema: What may be done where they are; None for a feed.

    Raises:
        UserError: The calibration of exposures, what was fitted on search sessions or the ties cannot be read, or the
            options say how people search where nobody can.
    """

    handlers: ClassVar[Mapping[str, Handler]] = {}
    Options: ClassVar = BehaviouralOptions

    def __init__(
        self,
        population: Population,
        taste: Taste,
        options: BehaviouralOptions,
        grounding: Grounding | None = None,
        base_directory: Path = Path(),
        repeats: RepeatModel | None = None,
        offers: Offers | None = None,
        schema: ActionSchema | None = None,
    ) -> None:
        self._taste = taste
        self._options = options
        self._exposures = named_exposures(options, base_directory)
        self._parameters = settle(options, taste, self._exposures, repeats.new_share if repeats else None)
        self._fatigue = RepeatFatigue.of(self._exposures, taste.n_items)
        self._hear_from_ties(options.social, population, base_directory)
        utility = Utility(taste, self._parameters.utility)
        constant = settled_constant(self._parameters, population, utility.of_pairs)
        self._known = known_items(repeats, self._parameters, constant, population, utility)
        self._utility = replace(utility, constant=constant)
        self._searching = searching(options.search, schema, population, base_directory, self._utility.of_pairs)
        looks = None if self._searching is None else self._searching.looks
        self._browsing = Browsing(taste, options, self._parameters, grounding, looks)
        self._market = Market(self._browsing, options, population, offers, frozenset(self.handlers))

    @property
    def cohort_size(self) -> int:
        """See `Mind.cohort_size`."""
        return self._options.cohort_size

    @property
    def actions(self) -> frozenset[str]:
        """See `Mind.actions`."""
        asks = SEARCH_ACTIONS if self._searching is not None else frozenset()
        return FEED_ACTIONS | SHOP_ACTIONS | asks | self.handlers.keys()

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        page = situation.page
        users, items = situation.sessions.users, np.where(page.shown, page.items, 0)
        odds = self._remembered(situation, self._utility.log_odds(users, items))
        search = self._searching if can_search(situation.legal.schema) else None
        if search is not None:
            odds = odds + search.log_odds(situation)
        decision = self._market.decide(situation, odds)
        if search is not None:
            decision = search.after(situation, decision)
        for name in situation.legal.schema.names:
            if name in self.handlers:
                decision = decision.taking(**{name: self.handlers[name](self, situation, decision)})
        return decision

    def get_ready(self, users: IntArray) -> None:
        """See `GetsReady.get_ready`."""
        self._taste.get_ready(users)

    def ready_ahead(self, users: IntArray) -> AbstractContextManager[None]:
        """See `GetsReadyAhead.ready_ahead`."""
        return self._taste.ready_ahead(users)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        described = {
            "kind": "behavioural",
            **described_browsing(self._options, self._parameters, self._exposures),
            "click_constant": self._utility.constant,
            "taste": dict(self._taste.describe()),
            **self._market.describe(),
        }
        if self._word_of_mouth is not None:
            described["social"] = dict(self._word_of_mouth.describe())
        if self._searching is not None:
            described["search"] = self._searching.describe()
        return described if self._known is None else {**described, "repeats": dict(self._known.describe())}

    @property
    def parameters(self) -> BrowsingParameters:
        """How these agents browse, settled."""
        return self._parameters

    def open_log_odds(self, users: IntArray) -> FloatArray:
        """Of opening every item if it is looked at, shape (n, n_items); for users of one part of the taste's rows.

        Of items that a user knows, as it is before the first simulated day.
        """
        odds = self._utility.catalog_log_odds(users)
        return odds if self._known is None else self._known.put_in_catalog(odds, users)

    def preference(self, users: IntArray) -> FloatArray:
        """P(click | looked at) * P(like | rated) of every item, shape (n, n_items): likes it would bring if seen."""
        result = np.empty((len(users), self._taste.n_items))
        for part, _ in self._taste.catalog_rows.parts(users):
            result[part] = expit(self.open_log_odds(users[part]))
            likes = self._browsing.like_probability(users[part])
            if likes is not None:
                result[part] *= likes
        return result

    def rating_shares(self, users: IntArray, items: IntArray) -> FloatArray:
        """P(each rating) of some pairs if the item is shown and rated, opened or not, shape (n_pairs, n_ratings).

        Raises:
            ValueError: The data set has no ratings.
        """
        stars = self._taste.stars
        if stars is None:
            raise ValueError("a data set without ratings has no shares of ratings")
        return stars.shares_at(users, self._browsing.leaning(users, items, opened=False))

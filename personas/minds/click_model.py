"""The click model: from P(click | examined) to the decisions of a session, shared by all minds that compute it.

    1. Examination. A slot is looked at with P = (1 / place) ** examination_exponent, places counted from 1 on each page
       (positions of a list, rows of a grid): the position-based model (Craswell, Zoeter, Taylor and Ramsey 2008, "An
       experimental comparison of click position-bias models", WSDM), in the form of Joachims, Swaminathan and
       Schnabel (2017, "Unbiased learning-to-rank with biased feedback", WSDM). `attention` says it of carousels.
    2. Click. P(click) = P(examined) * P(click | examined); the second is what the mind says.
    3. Stars. For a clicked item they are drawn from the user's own distribution, in the mood of the day
       (`groundlings.personas.taste.star_model`).
    4. Satisfaction. 1 + 9 * (1 - exp(-found / enough)), rounded; found is the sum, over the clicked items, of the
       position of their stars on the scale (0 for the lowest star, 1 for the highest, `UNRATED_FIND` where the data
       set has no ratings).
    5. Going on. P(leave) = logistic(logit(leave_rate) + fatigue * (page - 1) - patience * (satisfaction - 5.5) / 4.5).

Each draw is a function of the agent, the day, the purpose and the item or page
(`groundlings.environments.random_streams`), so the same item has the same draws in every arm. The log can be audited:
`clicked == (click_draw < click_probability)` holds exactly. Examination is drawn after the click, from its distribution
given the click, which gives the same joint distribution as drawing it first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import expit, log_expit, logit, ndtri_exp

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.decision import Decision
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Chance, Remark, Trace
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import Situation
from groundlings.personas.minds.attention import attention
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.minds.browsing_parameters import BrowsingParameters
from groundlings.personas.population import Population
from groundlings.personas.profile import star_columns
from groundlings.personas.repeats.known_items import KnownItems, OwnLevels
from groundlings.personas.repeats.model import RepeatModel
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.utility import Utility

UNRATED_FIND = 0.75
"""What a clicked item counts for satisfaction in a data set without stars: as much as a like."""

PairScore: TypeAlias = Callable[[IntArray, IntArray], FloatArray]
"""Scores of pairs of user and item, shape (n,) as both."""

Looks: TypeAlias = Callable[[Situation, FloatArray, FloatArray], FloatArray]
"""P(look) of each slot given the clicks above it: from the page, what it is by place, and P(click | examined)."""

_CALIBRATION_PEOPLE = 200
CANDIDATES = 500
"""Items of an agent at most, where a mean over them sets a level."""
_NEXT_TO_NOTHING = 2.0**-54


class Browsing:
    """Turns P(click | examined) into decisions.

    Args:
        taste: For stars.
        options: How agents browse.
        parameters: The same, settled (`groundlings.personas.minds.browsing_parameters`).
        grounding: The users' real held-out interactions, for grounded replay; None without it.
        looks: What says otherwise than the place alone which slots are looked at; None where nothing does.
    """

    def __init__(
        self,
        taste: Taste,
        options: BrowsingOptions,
        parameters: BrowsingParameters,
        grounding: Grounding | None = None,
        looks: Looks | None = None,
    ) -> None:
        if options.grounded and grounding is None:
            raise ValueError("grounded replay needs the held-out part of the history")
        self._taste = taste
        self._options = options
        self._parameters = parameters
        self._grounding = grounding if options.grounded else None
        self._looks = looks
        self._liking = Utility(taste, *parameters.liking)

    def like_probability(self, users: IntArray) -> FloatArray | None:
        """P(like | opened) of every item, shape (n, n_items), for users of one part of the taste's rows; None without
        ratings."""
        model = self._taste.stars
        if model is None:
            return None
        if self._parameters.opened_as_shown:
            return np.asarray(expit(self._liking.catalog_log_odds(users)))
        table = self._taste.catalog_rows
        assert table.leaning is not None
        return model.like_probability(users, table.leaning[table.slots(users)])

    def leaning(self, users: IntArray, items: IntArray, *, opened: bool) -> FloatArray:
        """Where the hidden liking of some pairs is centred (`StarModel`), shape (n_pairs,).

        Items that somebody else put before a person are not the ones they choose to rate, and are liked less: the
        centre is then the one that gives P(like | shown). An item that was opened counts as chosen, unless ratings of
        shown items were logged.
        """
        model = self._taste.stars
        if model is None:
            raise ValueError("a data set without ratings has no leaning")
        if opened and not self._parameters.opened_as_shown:
            return model.leaning_of(users, items)
        odds = self._liking.of_pairs(users, items)
        return model.like_cuts(users) + np.asarray(ndtri_exp(log_expit(odds)))

    def decide(self, situation: Situation, open_if_seen: FloatArray) -> Decision:
        """What a cohort does with its page.

        Args:
            situation: The page.
            open_if_seen: P(click | examined) of every slot, shape (n_sessions, n_slots); empty slots may hold anything.
        """
        sessions, page = situation.sessions, situation.page
        shown = page.shown
        known, real_stars = self._really(sessions, page)
        open_if_seen = np.where(known, 1.0, open_if_seen)
        seen = attention(self._parameters, sessions, page)
        if self._looks is not None:
            seen = self._looks(situation, seen, open_if_seen)
        probability = np.where(shown, seen * open_if_seen, 0.0)
        draw = sessions.draws.uniform("click", page.items)
        clicked = draw < probability
        # Bayes: P(examined | not clicked), so that one inequality decides a click and examined holds every click.
        passed = seen * (1 - open_if_seen) / np.maximum(1 - probability, _NEXT_TO_NOTHING)
        examined = clicked | (shown & (sessions.draws.uniform("examine", page.items) < passed))
        worth, stars = self._rate(sessions, page, clicked, real_stars, situation.legal)
        satisfaction = np.rint(1 + 9 * (1 - np.exp(-worth.sum(axis=1) / self._options.enough)))
        schema = situation.legal.schema
        remarks = tuple(
            Remark(int(row), int(slot), "grounded", _really_words(real_stars[row, slot], schema.opinion))
            for row, slot in np.argwhere(known)
        )
        goes_on = None
        if "next_page" in schema:
            goes_on = situation.legal.offers("next_page", page) & ~self._leaves(sessions, page, satisfaction)
        return Decision.of(
            situation.legal,
            page,
            Trace(chances={"click": Chance(probability, draw)}, examined=examined, remarks=remarks),
            click=clicked,
            next_page=goes_on,
            satisfaction=satisfaction if "satisfaction" in schema else None,
            **({} if schema.opinion is None else {schema.opinion: stars}),
        )

    def _really(self, sessions: Sessions, page: Page) -> tuple[BoolArray, FloatArray]:
        """Where the held-out part decides, and the stars that were given there (NaN for none)."""
        if self._grounding is None:
            return np.zeros(page.items.shape, dtype=np.bool_), np.full(page.items.shape, np.nan)
        return self._grounding.look_up(sessions.users, page.items)

    def _rate(
        self, sessions: Sessions, page: Page, clicked: BoolArray, real_stars: FloatArray, legal: LegalActions
    ) -> tuple[FloatArray, FloatArray]:
        """What each clicked item was worth (0 to 1, 0 for the others), and the stars given, NaN for none."""
        stars = np.full(clicked.shape, np.nan)
        model = self._taste.stars
        if model is None:
            return np.where(clicked, UNRATED_FIND, 0.0), stars
        session, slot = np.nonzero(clicked)
        items = page.items[session, slot]
        here = sessions.draws.take(session)
        leans = self.leaning(sessions.users[session], items.astype(np.int64), opened=True)
        given = model.draw(sessions.users[session], leans, here.uniform("mood"), here.uniform("stars", items))
        really = real_stars[session, slot]
        rated = ~np.isnan(really)
        given = np.where(rated, star_columns(np.where(rated, really, model.scale.low), model.scale), given)
        worth = np.zeros(clicked.shape)
        worth[session, slot] = given / (len(model.scale.values) - 1)
        if legal.schema.opinion is not None and legal.values(legal.schema.opinion):
            rates = rated | (here.uniform("rate", items) < self._options.rating_probability)
            stars[session, slot] = np.where(rates, np.array(model.scale.values)[given], np.nan)
        return worth, stars

    def _leaves(self, sessions: Sessions, page: Page, satisfaction: FloatArray) -> BoolArray:
        odds = (
            logit(self._parameters.leave_rate)
            + self._parameters.fatigue * (page.number - 1)
            - self._options.patience * (satisfaction - 5.5) / 4.5
        )
        return sessions.draws.uniform("leave", np.full(len(sessions), page.number)) < expit(odds)


def open_constant(known: FloatArray, rate: float) -> float:
    """The constant that gives log-odds the stated mean probability.

    Args:
        known: Log-odds up to that constant, of random candidates, shape (n,).
        rate: Wanted mean of logistic(known + constant).
    """
    if not len(known):
        return float(logit(rate))

    def excess(constant: float) -> float:
        return float(expit(known + constant).mean()) - rate

    from scipy.optimize import brentq

    reach = float(np.abs(known).max()) + abs(float(logit(rate))) + 1
    return float(brentq(excess, -reach, reach, xtol=1e-9))


def calibration_people(population: Population) -> IntArray:
    """An even sample of the agents' users, over whom a mean sets a level, shape (n,)."""
    users = population.users
    return users[np.unique(np.linspace(0, len(users) - 1, _CALIBRATION_PEOPLE).astype(np.int64))]


def random_candidates(population: Population) -> tuple[IntArray, IntArray]:
    """Users and items of random candidates, shape (n,) each, of an even sample of users.

    Candidates of a user are the items that are not in the user's history. In catalogs of more than `CANDIDATES` items
    the same share of each user's is taken, because active users have fewer of them and open more.
    """
    train, some = population.train, calibration_people(population)
    chance, share = np.random.default_rng(0), min(1.0, CANDIDATES / max(train.n_items, 1))
    found = []
    candidate = np.ones(train.n_items, dtype=np.bool_)
    for user in some.tolist():
        met = train.matrix.indices[train.matrix.indptr[user] : train.matrix.indptr[user + 1]]
        candidate[met] = False
        unmet = np.flatnonzero(candidate)
        candidate[met] = True
        size = int(np.ceil(share * len(unmet)))
        found.append(unmet if size == len(unmet) else chance.choice(unmet, size, replace=False))
    return np.repeat(some, [len(each) for each in found]), np.concatenate([np.zeros(0, dtype=np.int64), *found])


def of_random_candidates(population: Population, score: PairScore) -> FloatArray:
    """A score of random candidates (`random_candidates`), shape (n,)."""
    return score(*random_candidates(population))


def settled_constant(parameters: BrowsingParameters, population: Population, score: PairScore) -> float:
    """Log-odds to be added to a score: the fitted constant, or what gives random candidates the level."""
    if parameters.constant is not None:
        return parameters.constant
    assert parameters.level is not None
    return open_constant(of_random_candidates(population, score), parameters.level)


def known_items(
    repeats: RepeatModel | None,
    parameters: BrowsingParameters,
    constant: float,
    population: Population,
    utility: Utility,
    weight: float = 1.0,
) -> KnownItems | None:
    """What agents know and how likely they take it up again, on the scale of a mind's log-odds; None without repeats.

    Where the level of new items is known from opens that were logged, known items follow it. Else each agent has the
    level that they have on a real occasion, and a stated one moves the levels of all.

    Args:
        repeats: The model of real repeats; None where no item is shown again.
        parameters: How the agents browse.
        constant: What the mind adds to the utility.
        population: The agents.
        utility: What they like, without the constant.
        weight: What the mind multiplies it with.
    """
    if repeats is None:
        return None
    if parameters.level is None:
        real = open_constant(weight * of_random_candidates(population, utility.of_pairs), repeats.new_share)
        return KnownItems(repeats, constant, constant - real, None)
    shift = float(logit(parameters.level) - logit(repeats.new_share))

    def score(users: IntArray) -> FloatArray:
        return weight * utility.catalog_log_odds(users)

    capacity = utility.taste.catalog_rows.capacity
    return KnownItems(repeats, constant, shift, OwnLevels(repeats, score, capacity, population.train))


def _really_words(value: float, opinion: str | None) -> str:
    if np.isnan(value):
        return "met in the held-out part"
    said = f"{value:g} stars" if opinion != "like" else "liked" if value else "disliked"
    return f"met in the held-out part, {said}"

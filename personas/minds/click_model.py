"""The click model: from P(click | examined) to the decisions of a session, shared by all minds that compute it.

    1. Examination. A slot is looked at with P = (1 / position) ** examination_exponent, position counted from 1
       on each page: the position-based model (Craswell, Zoeter, Taylor and Ramsey 2008, "An experimental
       comparison of click position-bias models", WSDM), in the form of Joachims, Swaminathan and Schnabel (2017,
       "Unbiased learning-to-rank with biased feedback", WSDM).
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

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import brentq
from scipy.special import expit, logit

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.decision import Decision
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Chance, Remark, Trace
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import Situation
from groundlings.personas.population import Population
from groundlings.personas.profile import star_columns
from groundlings.personas.taste.model import Taste

UNRATED_FIND = 0.75
"""What a clicked item counts for satisfaction in a data set without stars: as much as a like."""

_CALIBRATION_PEOPLE = 200
_NEXT_TO_NOTHING = 2.0**-54


class BrowsingOptions(BaseModel):
    """How agents browse; what they like is estimated from the data set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    examination_exponent: float = Field(default=1.0, ge=0)
    """How fast attention falls down a page: P(look at position k) = (1/k)^exponent; 0 = every slot is looked at.
    1 is the setting of Joachims, Swaminathan and Schnabel (2017)."""
    random_click_rate: float = Field(default=0.05, gt=0, lt=1)
    """Mean P(click | looked at) over items drawn uniformly from an agent's candidate set. Real rates of positive
    action are below 10 % (OmniBehavior, arXiv 2604.08362)."""
    rating_probability: float = Field(default=1.0, ge=0, le=1)
    """P(give stars | clicked). MovieLens records only ratings, so there every clicked item is rated."""
    enough: float = Field(default=1.0, gt=0)
    """How much must be found on a page for two thirds of full satisfaction, in items of the highest stars."""
    leave_rate: float = Field(default=0.25, gt=0, lt=1)
    """P(leave) after the first page when it satisfied middlingly (5.5 of 10). Chosen, not estimated: public data
    sets do not record exits."""
    fatigue: float = Field(default=0.2, ge=0)
    """What each further page adds to the log-odds of leaving. Chosen, not estimated."""
    patience: float = Field(default=1.0, ge=0)
    """What a fully satisfying page takes off the log-odds of leaving, and an empty one adds. Chosen, not estimated."""
    grounded: bool = False
    """Grounded replay: an item with a held-out interaction of the user is clicked if it is looked at, and gets the real
    stars; the model decides about all others. Marked in the log (`grounded` events). Circular with every figure that
    rests on held-out behaviour, so `groundlings fidelity` refuses it."""
    cohort_size: int = Field(default=4096, ge=1)
    """Sessions decided in one go. It changes the speed, never the result."""


class Browsing:
    """Turns P(click | examined) into decisions.

    Args:
        taste: For stars.
        options: How agents browse.
        grounding: The users' real held-out interactions, for grounded replay; None without it.
    """

    def __init__(self, taste: Taste, options: BrowsingOptions, grounding: Grounding | None = None) -> None:
        if options.grounded and grounding is None:
            raise ValueError("grounded replay needs the held-out part of the history")
        self._taste = taste
        self._options = options
        self._grounding = grounding if options.grounded else None

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
        seen = np.broadcast_to(self._examination(page), page.items.shape)
        probability = np.where(shown, seen * open_if_seen, 0.0)
        draw = sessions.draws.uniform("click", page.items)
        clicked = draw < probability
        # Bayes: P(examined | not clicked), so that one inequality decides a click and examined holds every click.
        passed = seen * (1 - open_if_seen) / np.maximum(1 - probability, _NEXT_TO_NOTHING)
        examined = clicked | (shown & (sessions.draws.uniform("examine", page.items) < passed))
        worth, stars = self._rate(sessions, page, clicked, real_stars, situation.legal)
        satisfaction = np.rint(1 + 9 * (1 - np.exp(-worth.sum(axis=1) / self._options.enough)))
        remarks = tuple(
            Remark(int(row), int(slot), "grounded", _really_words(real_stars[row, slot]))
            for row, slot in np.argwhere(known)
        )
        schema = situation.legal.schema
        goes_on = None
        if "next_page" in schema:
            goes_on = situation.legal.offers("next_page", page) & ~self._leaves(sessions, page, satisfaction)
        return Decision.of(
            situation.legal,
            page,
            Trace(chances={"click": Chance(probability, draw)}, examined=examined, remarks=remarks),
            click=clicked,
            rate=stars if "rate" in schema else None,
            next_page=goes_on,
            satisfaction=satisfaction if "satisfaction" in schema else None,
        )

    def _really(self, sessions: Sessions, page: Page) -> tuple[BoolArray, FloatArray]:
        """Where the held-out part decides, and the stars that were given there (NaN for none)."""
        if self._grounding is None:
            return np.zeros(page.items.shape, dtype=np.bool_), np.full(page.items.shape, np.nan)
        return self._grounding.look_up(sessions.users, page.items)

    def _examination(self, page: Page) -> FloatArray:
        positions = np.arange(1, page.items.shape[1] + 1)
        return positions**-self._options.examination_exponent

    def _rate(
        self, sessions: Sessions, page: Page, clicked: BoolArray, real_stars: FloatArray, legal: LegalActions
    ) -> tuple[FloatArray, FloatArray]:
        """What each clicked item was worth (0 to 1, 0 for the others), and the stars given, NaN for none."""
        stars = np.full(clicked.shape, np.nan)
        model, leaning = self._taste.stars, self._taste.table.leaning
        if model is None or leaning is None:
            return np.where(clicked, UNRATED_FIND, 0.0), stars
        session, slot = np.nonzero(clicked)
        items = page.items[session, slot]
        here = sessions.draws.take(session)
        leans = leaning[self._taste.table.slots(sessions.users)[session], items].astype(np.float64)
        given = model.draw(sessions.users[session], leans, here.uniform("mood"), here.uniform("stars", items))
        really = real_stars[session, slot]
        rated = ~np.isnan(really)
        given = np.where(rated, star_columns(np.where(rated, really, model.scale.low), model.scale), given)
        worth = np.zeros(clicked.shape)
        worth[session, slot] = given / (len(model.scale.values) - 1)
        if legal.values("rate"):
            rates = rated | (here.uniform("rate", items) < self._options.rating_probability)
            stars[session, slot] = np.where(rates, np.array(model.scale.values)[given], np.nan)
        return worth, stars

    def _leaves(self, sessions: Sessions, page: Page, satisfaction: FloatArray) -> BoolArray:
        options = self._options
        odds = (
            logit(options.leave_rate)
            + options.fatigue * (page.number - 1)
            - options.patience * (satisfaction - 5.5) / 4.5
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

    reach = float(np.abs(known).max()) + abs(float(logit(rate))) + 1
    return float(brentq(excess, -reach, reach, xtol=1e-9))


def unmet_appeal(population: Population, taste: Taste) -> FloatArray:
    """Appeal of all candidates of an even sample of users, shape (n,)."""
    users = population.users
    some: IntArray = users[np.unique(np.linspace(0, len(users) - 1, _CALIBRATION_PEOPLE).astype(np.int64))]
    unmet = population.train.matrix[some].toarray() == 0
    return taste.appeal(some)[unmet].astype(np.float64)


def _really_words(stars: float) -> str:
    return "met in the held-out part" if np.isnan(stars) else f"met in the held-out part, {stars:g} stars"

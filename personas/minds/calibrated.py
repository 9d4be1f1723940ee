"""A mind whose decisions are one calibrated choice of two terms: evidence from real histories, and a language model.

    P(click | examined) = logistic(constant + evidence * utility + pull * language * standardised score)

Utility is that of the behavioural mind (`groundlings.personas.taste.utility`), and pull the size of the weight of
appeal in it. The weights were estimated on what validation people met, with appeal for utility
(`groundlings.personas.taste.calibration`), so what the model says pulls as weakly as appeal does once an item is shown.
Pull is positive also where a log of exposures gives appeal a negative weight: the model speaks for an item, or against.
A model that knows nothing of the items gets a weight near zero and does no harm. Either term may be left out: with the
evidence alone this is the behavioural mind, which asks nobody; with the language alone taste is not looked at. Where
items may be shown again, those that a person knows have the log-odds of the repeat model
(`groundlings.personas.repeats.model`) in place of constant and evidence. All else, from examination to leaving, is
`groundlings.personas.minds.click_model`, and ratings come from the evidence in any case.

A page with an answer that cannot be read is lost and logged as such, like any unreadable page.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.decision import Decision
from groundlings.environments.offers import Offers
from groundlings.environments.page import Page
from groundlings.environments.paths import NamedPath
from groundlings.environments.trace import Remark
from groundlings.personas.exposure.fatigue import RepeatFatigue
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import FEED_ACTIONS, SHOP_ACTIONS, Situation
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.minds.browsing_parameters import described_browsing, named_exposures, settle
from groundlings.personas.minds.calibrated_question import PairScorer, QuestionOptions, Scored
from groundlings.personas.minds.click_model import (
    Browsing,
    known_items,
    of_random_candidates,
    open_constant,
    settled_constant,
)
from groundlings.personas.minds.earlier_days import EarlierDays
from groundlings.personas.offers.market import Market
from groundlings.personas.population import Population
from groundlings.personas.repeats.model import RepeatModel
from groundlings.personas.taste.calibration import Calibration
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.utility import Utility, UtilityWeights

Term = Literal["evidence", "language"]


class LanguageTermOptions(BaseModel):
    """What the model is asked, and what its weight is fitted on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    question: QuestionOptions = QuestionOptions()
    """How much of person and item the model is shown."""
    calibration: NamedPath | None = None
    """A file of weights, from `groundlings calibrate`; it must be of the same data, split, model and question. Without
    one, weights that were fitted before are used, or fitted."""
    fit_people: int = Field(default=100, ge=10, le=10_000_000)
    """Validation people at most whose held-out behaviour the weights are fitted on."""
    fit_pairs: int = Field(default=8, ge=2, le=200)
    """Pairs of each of them at most that the model is asked about, half held-out items and half random ones."""
    fit_seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the choice of these people and pairs; another one fits anew."""


class CalibratedOptions(LanguageTermOptions, BrowsingOptions):
    """How people browse, and what their choice is made of."""

    terms: tuple[Term, ...] = Field(default=("evidence", "language"), min_length=1)
    """What the choice is made of: `evidence` from real histories, `language` from a model, or both."""

    @field_validator("terms")
    @classmethod
    def _terms_differ(cls, terms: tuple[Term, ...]) -> tuple[Term, ...]:
        if len(set(terms)) < len(terms):
            raise ValueError(f"each term once, found {', '.join(terms)}")
        return terms

    @property
    def asks(self) -> bool:
        """Whether a language model is asked."""
        return "language" in self.terms


class CalibratedMind(EarlierDays):
    """Decides by both terms, or one of them; see the module for the model.

    Args:
        population: Who the agents are.
        taste: The evidence.
        options: How they browse, and which terms count.
        scorer: Asks the model, or a student of its answers; None where the language term is left out.
        calibration: The weights; None likewise.
        grounding: What they really met later; only grounded replay may look at it.
        base_directory: Where the path of `options.exposures` starts.
        repeats: How likely people take up again what they know; None where no item is shown again.
        offers: Prices, stock and promotions by day; None where the data set has none.

    Raises:
        UserError: The calibration of exposures cannot be read, or is of another version.
    """

    def __init__(
        self,
        population: Population,
        taste: Taste,
        options: CalibratedOptions,
        scorer: PairScorer | None = None,
        calibration: Calibration | None = None,
        grounding: Grounding | None = None,
        base_directory: Path = Path(),
        repeats: RepeatModel | None = None,
        offers: Offers | None = None,
    ) -> None:
        if options.asks and (scorer is None or calibration is None):
            raise ValueError("the language term needs a model to ask and a calibration")
        self._taste = taste
        self._options = options
        self._scorer = scorer if options.asks else None
        self._calibration = calibration if options.asks else None
        self._evidence = "evidence" in options.terms
        self._exposures = named_exposures(options, base_directory)
        self._parameters = settle(options, taste, self._exposures, repeats.new_share if repeats else None)
        self._fatigue = RepeatFatigue.of(self._exposures, taste.n_items)
        self._market = Market(Browsing(taste, options, self._parameters, grounding), options, population, offers)
        self._utility = Utility(taste, self._parameters.utility)
        self._pull = _pull(self._parameters.utility)
        score = self._utility.of_pairs
        if self._calibration is None or self._parameters.constant is not None:
            # The language term is 0 on average, so the level that was logged stays about what it is.
            self._constant = settled_constant(self._parameters, population, score)
        else:
            assert self._parameters.level is not None
            known = of_random_candidates(population, score)
            met = self._calibration.random_log_odds(known / self._pull, evidence=self._evidence)
            self._constant = open_constant(self._pull * met, self._parameters.level)
        weight = 1.0
        if self._calibration is not None:
            weight = self._calibration.evidence.value if self._evidence else 0.0
        self._known = known_items(repeats, self._parameters, self._constant, population, self._utility, weight)

    @property
    def cohort_size(self) -> int:
        """See `Mind.cohort_size`."""
        return 1 if self._scorer else self._options.cohort_size

    @property
    def actions(self) -> frozenset[str]:
        """See `Mind.actions`."""
        return FEED_ACTIONS | SHOP_ACTIONS

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        page = situation.page
        if self._scorer is None:
            odds = self._remembered(situation, self._wanted(situation) + self._constant)
            return self._market.decide(situation, odds)
        if len(situation.sessions) != 1:
            raise ValueError(f"a mind with a language term decides for one session at a time, found {len(page.items)}")
        slots = [int(slot) for slot in np.flatnonzero(page.shown[0])]
        scored = await self._scorer.ask(int(situation.sessions.users[0]), page.items[0, slots].tolist())
        calls = tuple(each.call for each in scored if each.call is not None)
        if any(np.isnan(each.score) for each in scored):
            return Decision.lost(situation.legal, page, calls)
        decision = self._market.decide(situation, self._log_odds(situation, slots, scored))
        said = tuple(
            Remark(0, slot, "language_score", f"{each.score:.6g}") for slot, each in zip(slots, scored, strict=True)
        )
        trace = replace(decision.trace, calls=calls, remarks=(*said, *decision.trace.remarks))
        return replace(decision, trace=trace)

    def get_ready(self, users: IntArray) -> None:
        """See `GetsReady.get_ready`."""
        self._taste.get_ready(users)

    def ready_ahead(self, users: IntArray) -> AbstractContextManager[None]:
        """See `GetsReadyAhead.ready_ahead`."""
        return self._taste.ready_ahead(users)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        described: dict[str, Any] = {
            "kind": "calibrated",
            **described_browsing(self._options, self._parameters, self._exposures),
            "click_constant": self._constant,
            "taste": dict(self._taste.describe()),
            **self._market.describe(),
        }
        if self._scorer is not None and self._calibration is not None:
            described["model"] = self._scorer.name
            described["prompts"] = {self._scorer.prompt.name: self._scorer.prompt.sha256}
            described["calibration"] = self._calibration.summary()
        if self._known is not None:
            described["repeats"] = dict(self._known.describe())
        return described

    def _log_odds(self, situation: Situation, slots: list[int], scored: list[Scored]) -> FloatArray:
        """Of a click if examined, shape (1, n_slots); slots without an item hold the constant."""
        assert self._calibration is not None
        said = np.zeros(situation.page.items.shape)
        said[0, slots] = self._calibration.standardised(np.array([each.score for each in scored]))
        if not self._evidence:
            unsaid = np.full(said.shape, self._constant)
            return self._remembered(situation, unsaid) + self._pull * self._calibration.language_alone.value * said
        unsaid = self._constant + self._calibration.evidence.value * self._wanted(situation)
        return self._remembered(situation, unsaid) + self._pull * self._calibration.language.value * said

    def _wanted(self, situation: Situation) -> FloatArray:
        """Utility of every slot, shape (n_sessions, n_slots); empty slots have that of the first item."""
        page: Page = situation.page
        return self._utility.log_odds(situation.sessions.users, np.where(page.shown, page.items, 0))


def _pull(weights: UtilityWeights) -> float:
    """How strongly what the model says pulls: as appeal does, whichever way; alone where appeal does nothing."""
    return abs(weights.appeal) or 1.0

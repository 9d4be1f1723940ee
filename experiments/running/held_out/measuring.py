"""Measures the arms of a run on real held-out behaviour and before other audiences, right after the first fit.

A recommender is measured as it is on the first day, fitted on the training part alone, before it is asked for anything
else: no arm is fitted for this a second time, and nothing of the simulation depends on it. What an interrupted run has
not kept is measured at its end with recommenders that are built and fitted anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.environment import without_friends
from groundlings.environments.errors import UserError
from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest, sound_ranking
from groundlings.environments.social_turns import site_alone
from groundlings.experiments.analysis.compare import mean_interval, paired_difference, within_one
from groundlings.experiments.analysis.comparison.held_out import ArmBehaviour, Audiences, HeldOut, RealEffect
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.config.designs import InterleavingDesign
from groundlings.experiments.config.schema import ArmConfig, ConversingSection, ScriptedMindConfig
from groundlings.experiments.running.held_out.audiences import (
    OWN,
    Audience,
    audience_names,
    audiences_of,
    compare_audiences,
    obstacle,
)
from groundlings.experiments.running.held_out.exposures import (
    ExposureSample,
    Sums,
    exposure_effect,
    exposure_sample,
    exposure_sums,
)
from groundlings.experiments.running.held_out.extrapolation import (
    extrapolated_likes,
    extrapolation,
    least_picked,
    likes_are_extrapolated,
)
from groundlings.experiments.running.held_out.figures import Figures, keep, kept, place_of
from groundlings.experiments.running.held_out.random_lists import expected_scores
from groundlings.experiments.running.held_out.repeats import repeat_shares
from groundlings.experiments.running.held_out.sample import Sample, choose_sample
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.short_sessions import PEOPLE_AT_ONCE, short_sessions
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender
from groundlings.simulator.shelf import without

CUT = 10
"""Ranks of a list that are scored."""

TRIVIAL = ("popular", "random_order")
"""Recommenders that know nothing of a person: what an arm has to be compared with."""

_DAYS = 4
"""Lists of a recommender that draws them at random are averaged over so many; `random_order` over all there are."""


def real_users(plan: Plan) -> IntArray | None:
    """Real users with training rows, on whom lists are scored where agents are synthetic; else None."""
    if plan.dataset.synthetic is None:
        return None
    real = np.bincount(plan.split.train.users, minlength=plan.split.train.n_users)[: plan.dataset.synthetic.first]
    return np.flatnonzero(real).astype(np.int64)


@dataclass
class ArmMeasurement:
    """The measurement of all arms of a run; `simulate` hands it each recommender after its first fit.

    Attributes:
        plan: The run.
    """

    plan: Plan
    _figures: dict[str, Figures] = field(default_factory=dict)
    _faults: dict[str, str] = field(default_factory=dict)
    _exposed: dict[str, Sums] = field(default_factory=dict)
    _no_exposures: str = ""

    @cached_property
    def missing(self) -> str:
        """Why nothing is measured in this run, "" where something is."""
        config = self.plan.config
        if not config.held_out:
            return "`held_out: false` in the experiment file"
        if isinstance(config.design, InterleavingDesign):
            return "interleaved arms have no effect that could be compared with it"
        if isinstance(config.mind, ScriptedMindConfig):
            return "a script decides, and its choices are no claim about people"
        if isinstance(config.mind, ConversingSection):
            return "what is accepted in a conversation depends on a need that no data set of interactions knows"
        if getattr(config.mind, "grounded", False):
            return "grounded replay decides by the same held-out behaviour"
        which = "held-out items" if self._repeats else "held-out items that are new to them"
        who = "agents" if self._real is None else "real users"
        return "" if len(self._sample.users) > 1 else f"no two {who} have {which}"

    async def after_first_fit(self, name: str, recommender: AsyncRecommender) -> None:
        """Measure an arm whose recommender has just been fitted on the training part.

        Args:
            name: The arm.
            recommender: Its recommender; it is asked for lists and not changed.
        """
        arm = self._arms.get(name)
        if arm is not None and not self._obstacle(arm, recommender):
            await self._measure(arm, recommender)

    async def finished(self) -> HeldOut:
        """Everything that was measured; arms whose first fit was in an earlier process are fitted anew."""
        baseline = self.plan.config.arms[0].name
        if self.missing:
            return HeldOut(baseline, self._people, missing=self.missing, of_real_users=self._real is not None)
        arms = {}
        for arm in self.plan.config.arms:
            arms[arm.name] = self._obstacle(arm) or await self._measured_again(arm)
        trivial = [(name, await self._trivial(name)) for name in TRIVIAL]
        sample = self._sample
        return HeldOut(
            baseline=baseline,
            population=self._people,
            of_real_users=self._real is not None,
            with_items=sample.with_items,
            asked=len(sample.users),
            arms={name: self._behaviour(name, self._figures.get(name), missing) for name, missing in arms.items()},
            trivial=tuple(self._of_held_out(name, figures) for name, figures in trivial),
            audiences=self._ordered(),
            no_exposures=self._no_exposures,
            repeats=self._repeats,
            repeat_shares={
                arm.name: figures.repeats
                for arm in self.plan.config.arms
                if (figures := self._figures.get(arm.name)) is not None and figures.repeats is not None
            },
        )

    @cached_property
    def _real(self) -> IntArray | None:
        return real_users(self.plan)

    @property
    def _people(self) -> int:
        return len(self.plan.population) if self._real is None else len(self._real)

    @property
    def _repeats(self) -> bool:
        return self.plan.config.repeats.allowed

    @cached_property
    def _arms(self) -> dict[str, ArmConfig]:
        return {} if self.missing else {arm.name: arm for arm in self.plan.config.arms}

    @cached_property
    def _sample(self) -> Sample:
        plan = self.plan
        return choose_sample(plan.population, plan.split, plan.config.seed, repeats=self._repeats, real=self._real)

    @cached_property
    def _exposures(self) -> ExposureSample | None:
        try:
            return exposure_sample(self.plan)
        except UserError as fault:
            self._no_exposures = f"the exposures that the experiment file names could not be read ({fault})"
            return None

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return () if obstacle(self.plan) else tuple(audience_names(self.plan))

    @cached_property
    def _audiences(self) -> list[Audience]:
        return audiences_of(self.plan) if self._names else []

    @cached_property
    def _least_picked(self) -> float | None:
        """Appeal below which an item lies outside what people pick; None where P(like) is not extrapolated."""
        own = next((each for each in self._audiences if each.name == OWN), None)
        taste = self.plan.minds.taste
        if own is None or not likes_are_extrapolated(own.mind, taste):
            return None
        return least_picked(taste, self.plan.split, self._sample.browsing)

    def _obstacle(self, arm: ArmConfig, recommender: AsyncRecommender | None = None) -> str:
        """Why an arm is not measured, "" where it is."""
        if arm.name in self.plan.models:
            return "it asks a language model, and measuring it would cost calls"
        if arm.history == "none":
            return "it starts without a history, so its lists of the first day tell nothing"
        row = next((row for row in self.plan.arms if row.name == arm.name), None)
        bound = row.sees_hidden_preference if row is not None else False
        if bound or (recommender is not None and recommender.sees_hidden_preference):
            return "it is a bound, which ranks by the agents' hidden preference"
        if recommender is not None and recommender.needs_query:
            self._faults[arm.name] = "it lists items for a query, and nothing says what people asked for later"
        return self._faults.get(arm.name, "")

    async def _measured_again(self, arm: ArmConfig) -> str:
        """Measure an arm that has not been measured yet; why that could not be done, "" where it is."""
        if arm.name not in self._figures or (self._exposures is not None and arm.name not in self._exposed):
            figures = None if self._exposures is not None else kept(place_of(self.plan, arm, self._names))
            if figures is not None:
                self._figures[arm.name] = figures
                return ""
            recommender = self.plan.recommender(arm)
            if why := self._obstacle(arm, recommender):
                return why
            recommender.fit(self.plan.split.train, self.plan.dataset.catalog)
            await self._measure(arm, recommender)
        return self._faults.get(arm.name, "")

    async def _measure(self, arm: ArmConfig, recommender: AsyncRecommender) -> None:
        place = place_of(self.plan, arm, self._names)
        figures = kept(place)
        if figures is None:
            try:
                figures = await self._figures_of(recommender)
            except (UserError, ValueError) as fault:
                self._faults[arm.name] = f"its lists could not be scored ({fault})"
                return
            keep(place, figures)
        self._figures[arm.name] = figures
        if self._exposures is not None:  # as quick as reading them from a cache
            self._exposed[arm.name] = await exposure_sums(self.plan, self._exposures, recommender)

    async def _figures_of(self, recommender: AsyncRecommender, *, browsed: bool = True) -> Figures:
        sample, train = self._sample, self.plan.split.train
        ndcg, hit = await self._scores(recommender, sample.relevant, self.plan.first_seen)
        new = (await self._scores(recommender, sample.new, train.matrix))[0] if self._repeats else None
        remembering, clicks, repeats, likes = _Remembering(recommender), {}, None, None
        for audience in self._audiences if browsed else ():
            found = await short_sessions(
                sample.browsing,
                self.plan.first_seen,
                recommender=remembering,
                mind=audience.mind,
                # No tie has liked anything yet on the first day, and the audiences beside the run's own have no ties.
                environment=without_friends(site_alone(self.plan.environment)),
                seed=self.plan.config.seed,
                day=0,
                offers=self.plan.first_offers,
            )
            clicks[audience.name] = found.expected_clicks
            if self._repeats and audience is self._audiences[0]:
                repeats = repeat_shares(found, self.plan.split)
            if audience.name == OWN and self._least_picked is not None:
                likes = extrapolated_likes(found, self.plan.minds.taste, train, self._least_picked)
        return Figures(ndcg, hit, clicks, new, repeats, likes)

    async def _scores(
        self, recommender: AsyncRecommender, wanted: sp.csr_array, seen: sp.csr_array
    ) -> tuple[FloatArray, FloatArray]:
        """nDCG and hit rate of each person's list, shape (n,) each, NaN for a person who wants nothing.

        Args:
            recommender: Fitted on the training part.
            wanted: Items that count, shape (n, n_items).
            seen: Items that are not listed, shape (n_users, n_items).
        """
        size = max(CUT, self.plan.environment.page_size * self.plan.environment.max_pages)
        users, offers = self._sample.users, self.plan.first_offers
        parts: list[tuple[FloatArray, FloatArray]] = []
        days = _DAYS if recommender.randomised else 1
        for first in range(0, len(users), PEOPLE_AT_ONCE):
            some = users[first : first + PEOPLE_AT_ONCE]
            relevant = sp.csr_array(wanted[first : first + PEOPLE_AT_ONCE])
            hidden = rows_of(seen, some)
            if offers is not None:
                hidden = without(hidden, offers.sold_out)
            if isinstance(recommender, RandomOrderRecommender):
                parts.append(expected_scores(relevant, hidden, CUT))
                continue
            found = []
            for day in range(days):
                draws = Draws.for_sessions(self.plan.config.seed, some, day)
                request = RankingRequest(some, size, hidden, draws, offers=offers)
                answer = await recommender.rank(request)
                ranking = sound_ranking(answer, request, seen.shape[1], whose=type(recommender).__name__)
                scores = score_rankings(ranking.items, relevant, CUT).values
                found.append((scores["ndcg"], scores["hit"]))
            parts.append((np.mean([each[0] for each in found], axis=0), np.mean([each[1] for each in found], axis=0)))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    async def _trivial(self, name: str) -> Figures:
        """A trivial recommender, of which an arm may have the figures already."""
        same = [arm.name for arm in self.plan.config.arms if arm.recommender == name and not arm.options]
        known = next((self._figures[arm] for arm in same if arm in self._figures), None)
        if known is not None:
            return known
        dataset = self.plan.dataset
        context = RecommenderContext(dataset.catalog, dataset.people.user_ids, self.plan.config.base)
        recommender = build_recommender(name, {}, context)
        recommender.fit(self.plan.split.train, dataset.catalog)
        return await self._figures_of(recommender, browsed=False)

    def _behaviour(self, name: str, figures: Figures | None, missing: str) -> ArmBehaviour:
        """All evidence on an arm."""
        if figures is None or self.plan.config.arms[0].name not in self._figures:
            return ArmBehaviour(name, missing=missing or "the first arm was not measured")
        found = self._of_held_out(name, figures)
        rests_on = extrapolation(figures.likes, self._figures[self.plan.config.arms[0].name].likes)
        exposed = None
        if self._exposures is not None:
            exposed = exposure_effect(self._exposures, self._exposed, name, self.plan.config.arms[0].name)
        effects = found.effects if exposed is None else (exposed, *found.effects)
        return replace(found, effects=effects, extrapolation=rests_on)

    def _of_held_out(self, name: str, figures: Figures) -> ArmBehaviour:
        """What held-out behaviour says of a recommender, an arm's or a trivial one."""
        base = self._figures.get(self.plan.config.arms[0].name)
        if base is None:
            return ArmBehaviour(name, missing="the first arm was not measured")
        what = "items, known ones among them" if self._repeats else "new items"
        rows = [
            (f"nDCG@{CUT} of {what}", figures.ndcg, base.ndcg, True),
            (f"hit rate@{CUT} of {what}", figures.hit, base.hit, False),
        ]
        if figures.new is not None and base.new is not None:
            rows.append((f"nDCG@{CUT} of new items in lists of new items", figures.new, base.new, False))
        effects = [
            RealEffect(
                "held-out behaviour",
                metric,
                within_one(mean_interval(ours)),
                paired_difference(ours, theirs),
                decides,
            )
            for metric, ours, theirs, decides in rows
        ]
        return ArmBehaviour(name, tuple(effects))

    def _ordered(self) -> Audiences:
        if not self._names:
            return Audiences(missing=obstacle(self.plan))
        arms = self._competitors()
        if len(arms) < 2:
            return Audiences(missing="fewer than two arms were measured")
        clicks = [np.column_stack([self._figures[arm].clicks[name] for arm in arms]) for name in self._names]
        return compare_audiences(self._names, arms, clicks)

    def _competitors(self) -> list[str]:
        """Measured arms, each recommender with its options once."""
        seen: list[tuple[object, ...]] = []
        names = []
        for arm in self.plan.config.arms:
            policy = (arm.recommender, arm.options, arm.history)
            if arm.name in self._figures and policy not in seen:
                seen.append(policy)
                names.append(arm.name)
        return names


class _Remembering(AsyncRecommender):
    """Gives the lists that it gave before where the same is asked: every audience is shown the same lists."""

    def __init__(self, inner: AsyncRecommender) -> None:
        self._inner = inner
        self._lists: dict[tuple[object, ...], Ranking] = {}

    def fit(self, interactions: object, catalog: object) -> None:
        """Nothing: the recommender inside is fitted."""

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        shown = None if request.shown is None else request.shown.tobytes()
        asked = (request.page, request.size, request.users.tobytes(), shown, request.queries)
        if asked not in self._lists:
            self._lists[asked] = await self._inner.rank(request)
        return self._lists[asked]

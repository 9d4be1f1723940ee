"""The language model's part of the lab: which pairs it is asked about, within a budget of calls.

A sample of test users (all of them without a budget) gets lists as in part 1, one half held-out items, once with
uniform and once with popularity-matched negatives. The model is asked about as many pairs as the budget allows, and
about half as many validation users, on whom thresholds and curves are chosen. It is asked about a third of the sample
three more times, for part 7: without titles, with each user's demographics, and with these reversed.

The same answers give three minds for the same users: evidence only, language only, and both, with the weights of
`groundlings calibrate`. The third less the first is what the language model adds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray
from groundlings.environments.chat import ChatModel
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.fidelity.config import LanguageConfig, ListsConfig
from groundlings.experiments.labs.fidelity.invariance import with_other_demographics
from groundlings.experiments.labs.fidelity.lists import Lists, Negatives, draw_lists
from groundlings.experiments.labs.fidelity.stage import Stage
from groundlings.experiments.labs.unreadable_answers import refuse_unreadable
from groundlings.experiments.running.calibration import CalibrationGround, find_language_term, people_at_once
from groundlings.experiments.running.events import SILENT, PairsAsked, Progress, on_download, on_note
from groundlings.personas.exposure.presets import LEVEL
from groundlings.personas.minds.calibrated_question import LanguageScorer, PairScorer
from groundlings.personas.minds.click_model import of_random_candidates, open_constant
from groundlings.personas.population import Population, build_population
from groundlings.personas.taste.calibration import Calibration
from groundlings.simulator.language.build import build_chat_model

EVIDENCE, LANGUAGE, BOTH = "evidence only", "language only", "both"
"""The three ablations, in every record."""

_SHARE_OF_VALIDATION, _SHARE_ASKED_AGAIN, _TIMES_AGAIN = 2, 3, 3
_FEWEST_ITEMS = 2


@dataclass(frozen=True)
class AskedLists:
    """Lists of one group of users with both terms of each item.

    Attributes:
        lists: The lists.
        appeal: The term of the behavioural features, shape as `lists.items`.
        usual: Each user's mean appeal over the whole catalog, shape (n,).
        said: The standardised score of the language model, same shape, NaN where unreadable.
    """

    lists: Lists
    appeal: FloatArray
    usual: FloatArray
    said: FloatArray

    def log_odds(self, calibration: Calibration, *, above_usual: bool = False) -> dict[str, FloatArray]:
        """Log-odds of each ablation, up to a constant, shape as `lists.items`; the same pairs are NaN in all of them.

        Args:
            calibration: The weights.
            above_usual: Subtract the user's mean appeal over the catalog, which makes active and inactive users
                comparable.
        """
        unknown = np.where(np.isnan(self.said), np.nan, 0.0)
        appeal = self.appeal - (self.usual[:, None] if above_usual else 0.0)
        return {
            EVIDENCE: appeal + unknown,
            LANGUAGE: calibration.language_alone.value * self.said,
            BOTH: calibration.evidence.value * appeal + calibration.language.value * self.said,
        }


@dataclass(frozen=True)
class LanguageAnswers:
    """All answers of the language model.

    Attributes:
        calibration: The weights.
        about: Model, source of the weights and calls, for the file.
        test, validation: Kind of negatives -> lists with answers.
        constants: Ablation -> the constant that gives random candidates the stated click-through rate.
        again: What was changed -> the uniform lists of some of the test users, asked again.
    """

    calibration: Calibration
    about: Mapping[str, object]
    test: Mapping[Negatives, AskedLists]
    validation: Mapping[Negatives, AskedLists]
    constants: Mapping[str, float]
    again: Mapping[str, AskedLists]

    def open_if_seen(self, asked: AskedLists) -> dict[str, FloatArray]:
        """P(click | examined) of each ablation, shape as the lists."""
        odds = asked.log_odds(self.calibration)
        return {name: expit(values + self.constants[name]) for name, values in odds.items()}


def ask_language_model(stage: Stage, options: LanguageConfig, progress: Progress = SILENT) -> LanguageAnswers:
    """Open the model, find its weights, and ask as many questions as the budget allows.

    Raises:
        ConfigError: The budget is too small for two items per list, or the weights do not fit.
        TooMuchUnreadable: More answers cannot be read than `max_unreadable` allows.
    """

    async def asked() -> LanguageAnswers:
        model = await build_chat_model(
            options.model,
            on_download(progress),
            base=stage.config.base,
            key="language.model",
            tell=on_note(progress),
        )
        try:
            return await _Asking(stage, options, model, progress).everything()
        finally:
            await model.close()

    return asyncio.run(asked())


class _Asking:
    def __init__(
        self,
        stage: Stage,
        options: LanguageConfig,
        model: ChatModel,
        progress: Progress,
    ) -> None:
        self._stage, self._options, self._model = stage, options, model
        self._progress = progress
        self._testers = _some(stage, stage.testers, options.people)
        half = max(len(self._testers) // _SHARE_OF_VALIDATION, 1)
        self._tuners = _some(stage, stage.tuners, half if options.people != "all" else "all")
        self._population = build_population(stage.dataset, stage.train, size="all", seed=stage.seed)
        self._done, self._planned, self._unreadable = 0, 0, 0

    async def everything(self) -> LanguageAnswers:
        stage, options = self._stage, self._options
        half = self._items_a_half()
        here = replace(
            stage, config=stage.config.model_copy(update={"lists": ListsConfig(length=2 * half, ratios=(1,))})
        )
        test = _by_kind(draw_lists(here, self._testers, "language test"))
        validation = _by_kind(draw_lists(here, self._tuners, "language validation"))
        whole, third = test["uniform"], slice(None, None, _SHARE_ASKED_AGAIN)
        some = Lists(whole.users[third], whole.items[third], whole.positive[third])
        changes = self._changes()
        groups = (*test.values(), *validation.values())
        self._planned = sum(int(each.listed.sum()) for each in groups) + len(changes) * int(some.listed.sum())
        term = await find_language_term(
            options, self._ground, self._model,
            check_lost=partial(refuse_unreadable, limit=options.max_unreadable), base=stage.config.base,
            asked=options.model, progress=self._progress,
        )  # fmt: skip
        calibration = term.calibration

        async def ask(lists: Lists, scorer: PairScorer = term.scorer, *, known: bool = False) -> AskedLists:
            return await self._ask(lists, scorer, calibration, known=known)

        asked_test = {kind: await ask(lists) for kind, lists in test.items()}
        asked_validation = {kind: await ask(lists) for kind, lists in validation.items()}
        again = {name: await ask(some, scorer) for name, scorer in changes.items()}
        if changes:
            again["as they are"] = await ask(some, known=True)
        random = of_random_candidates(stage.population, stage.taste.appeal_of)
        rate = stage.meeting_mind.parameters.level or LEVEL.value
        return LanguageAnswers(
            calibration=calibration,
            about={
                "model": self._model.name,
                "model_fingerprint": term.scorer.fingerprint,
                "calibration": {**calibration.summary(), "source": term.source},
                "people": len(self._testers),
                "validation_people": len(self._tuners),
                "items_a_list": 2 * half,
                "pairs": self._planned,
                "unreadable": self._unreadable,
            },
            test=asked_test,
            validation=asked_validation,
            constants={
                EVIDENCE: open_constant(random, rate),
                LANGUAGE: open_constant(calibration.random_log_odds(random, evidence=False), rate),
                BOTH: open_constant(calibration.random_log_odds(random, evidence=True), rate),
            },
            again=again,
        )

    @property
    def _ground(self) -> CalibrationGround:
        stage = self._stage
        return CalibrationGround(stage.dataset, stage.split, stage.config.split, self._population)

    def _items_a_half(self) -> int:
        """Held-out items per list: as many as the budget allows, half of `lists.length` at most."""
        most, calls = self._stage.config.lists.length // 2, self._options.calls
        if not isinstance(calls, int):
            return most
        kinds = len(get_args(Negatives))
        people = len(self._testers) + len(self._tuners)
        again = _TIMES_AGAIN * -(-len(self._testers) // _SHARE_ASKED_AGAIN)
        half = calls // (2 * (kinds * people + again))
        if half < _FEWEST_ITEMS:
            raise ConfigError(
                f"language.calls: {calls:,} are too few for {people} people; lists of {2 * _FEWEST_ITEMS} items take "
                f"{2 * _FEWEST_ITEMS * (kinds * people + again):,}; raise it, or lower language.people"
            )
        return min(half, most)

    def _changes(self) -> dict[str, LanguageScorer]:
        """Scorers for part 7: what is changed -> the scorer with this change."""
        stage, question = self._stage, self._options.question
        chance = stage.chance("language", "demographics")
        nameless = tuple(f"Title {number + 1}" for number in range(len(stage.dataset.catalog)))
        catalog = replace(stage.dataset.catalog, titles=nameless, texts=("",) * len(nameless))
        changed = {
            "titles taken away": LanguageScorer(replace(self._population, catalog=catalog), self._model, question)
        }
        if any(stage.dataset.people.attributes):
            told = question.model_copy(update={"demographics": True})
            turned: Population = replace(self._population, people=with_other_demographics(stage.dataset, chance).people)
            changed["demographics told"] = LanguageScorer(self._population, self._model, told)
            changed["demographics turned round"] = LanguageScorer(turned, self._model, told)
        return changed

    async def _ask(
        self, lists: Lists, scorer: PairScorer, calibration: Calibration, *, known: bool = False
    ) -> AskedLists:
        """What a scorer says of some lists; `known` are lists whose pairs were asked about, and counted, already."""
        rows, slots = np.nonzero(lists.listed)
        users, items = lists.users[rows], lists.items[rows, slots].astype(np.int64)
        before = self._done

        def tell(done: int, _unreadable: int) -> None:
            if not known:
                self._progress.event(PairsAsked(before + done, self._planned))

        scores = await scorer.ask_pairs(
            users, items, people_at_once=people_at_once(self._options.model),
            on_pairs=tell,
        )  # fmt: skip
        if not known:
            self._done += len(users)
            self._unreadable += int(np.isnan(scores).sum())
            whole = self._done == self._planned
            refuse_unreadable(self._unreadable, self._done, self._options.max_unreadable, whole=whole, scorers=[scorer])
        said = np.zeros(lists.items.shape)
        said[rows, slots] = calibration.standardised(scores)
        table = self._stage.taste.appeal(lists.users).astype(np.float64)
        places = np.where(lists.items == NO_ITEM, 0, lists.items).astype(np.int64)
        return AskedLists(lists, np.take_along_axis(table, places, axis=1), table.mean(axis=1), said)


def _some(stage: Stage, people: IntArray, size: int | str) -> IntArray:
    """As many of the users, the first by a hash of seed and id, ascending; all if there are fewer."""
    if not isinstance(size, int):
        return people
    keys = [name_key("language person", stage.seed, stage.dataset.people.user_ids[user]) for user in people]
    return np.sort(people[np.argsort(keys, kind="stable")][:size])


def _by_kind(lists: Mapping[tuple[Negatives, int], Lists]) -> dict[Negatives, Lists]:
    return {kind: each for (kind, _), each in lists.items()}

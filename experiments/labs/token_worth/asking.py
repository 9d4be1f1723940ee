"""Asks about choices among five as a run would ask, and counts what that takes.

    verdict      the five as one page of a site, one reply about all of them; the score of an item: opened or not
    graded       the same page, a question about each item; the score: the log-odds of opening it
    calibrated   a question about each item by itself; the score: the log-odds of choosing it
    student      nobody is asked; the score: the answer that the student gives in a run, a draw

Pages go through the simulator's own loop (`browse`), so prompt, reply form, second tries and refusals are those of a
run. Each scene is an agent of its own, known by what it met before the scene's moment; it remembers nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from groundlings.environments.arrays import FloatArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel
from groundlings.environments.dataset import Dataset
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sessions import Sessions
from groundlings.experiments.labs.fidelity.scenes import CHOICES, Scenes
from groundlings.experiments.labs.train_mind.examples import population_of
from groundlings.experiments.labs.train_mind.scoring import Scores
from groundlings.personas.minds.calibrated_question import LanguageScorer, QuestionOptions
from groundlings.personas.minds.language.config import LanguageOptions
from groundlings.personas.minds.language.mind import LanguageMind
from groundlings.recommenders.base import Recommender
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.session import browse

_NEAREST_TO_CERTAIN = 1e-12

Ask = Callable[[int], Awaitable[tuple[FloatArray, Sequence[CallRecord]]]]
"""The number of a scene -> the score of each of its items, NaN where a reply could not be read, and the calls."""

OnScenes = Callable[[str, int, int], None]
"""Told which mind has answered how many scenes, of how many."""


@dataclass(frozen=True)
class Asked:
    """A mind that asks a model.

    Attributes:
        name: In the table.
        model: Who is asked.
        way: How: a decision of the language mind, or the question of the calibrated one.
    """

    name: str
    model: ModelConfig
    way: Literal["verdict", "graded"] | QuestionOptions


@dataclass(frozen=True, slots=True)
class Bill:
    """What answers took.

    Attributes:
        decisions: Items that were decided about.
        calls: Questions, second tries included.
        sent, cached, replied: Tokens of prompts, those of them that the server had in its cache, tokens of replies.
        estimated: Calls whose tokens the server did not count.
        seconds: Of this process's processors; of an embedded model that is all.
    """

    decisions: int
    calls: int = 0
    sent: int = 0
    cached: int = 0
    replied: int = 0
    estimated: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompts and replies."""
        return self.sent + self.replied

    @property
    def computed(self) -> int:
        """Those that no cache had."""
        return self.tokens - self.cached


@dataclass(frozen=True, slots=True)
class Answers:
    """What one mind said of all scenes.

    Attributes:
        scores: Group -> the score of each item, shape (n, 5); a scene is NaN where a reply could not be read.
        bill: What it took.
    """

    scores: Scores
    bill: Bill


@dataclass
class _Account:
    """Adds calls up."""

    calls: list[CallRecord] = field(default_factory=list)
    began: float = field(default_factory=time.process_time)

    def bill(self, decisions: int) -> Bill:
        replies = [call.reply for call in self.calls]
        return Bill(
            decisions,
            len(replies),
            sum(reply.prompt_tokens for reply in replies),
            sum(reply.cached_tokens for reply in replies),
            sum(reply.completion_tokens for reply in replies),
            sum(reply.tokens_estimated for reply in replies),
            time.process_time() - self.began,
        )


def ask_mind(
    asked: Asked,
    dataset: Dataset,
    groups: Mapping[str, Scenes],
    statistics: Interactions,
    seed: int,
    on_scenes: OnScenes = lambda _name, _done, _total: None,
) -> Answers:
    """The answers of one mind about all scenes, one scene after the other, so that a small prompt cache finds each.

    Args:
        asked: The mind.
        dataset: Users and items.
        groups: The scenes, by name.
        statistics: The rows that popularity is counted on.
        seed: Of the sampling seeds.
        on_scenes: Is told how far it is.

    Raises:
        UserError: The model cannot be had, or gives no log probabilities where they are needed.
    """

    async def everything() -> Answers:
        account, total = _Account(), sum(map(len, groups.values()))
        scores: dict[str, FloatArray] = {}
        model = await build_chat_model(asked.model)
        account.began = time.process_time()  # without the loading of weights
        try:
            for name, scenes in groups.items():
                ask = _asker(asked, model, dataset, scenes, statistics, seed)
                found = np.full(scenes.lists.items.shape, np.nan)
                for row in range(len(scenes)):
                    own, calls = await ask(row)
                    account.calls += calls
                    found[row] = np.nan if np.isnan(own).any() else own
                    on_scenes(asked.name, sum(map(len, scores.values())) + row + 1, total)
                scores[name] = found
        finally:
            await model.close()
        return Answers(scores, account.bill(CHOICES * total))

    return asyncio.run(everything())


def _asker(
    asked: Asked, model: ChatModel, dataset: Dataset, scenes: Scenes, statistics: Interactions, seed: int
) -> Ask:
    """Who asks about some scenes."""
    people = population_of(dataset, scenes, statistics)
    lists = scenes.lists.items
    if isinstance(asked.way, QuestionOptions):
        return _by_pairs(LanguageScorer(people, model, asked.way, statistics.item_counts), lists)
    options = LanguageOptions(decision=asked.way)
    return _by_pages(LanguageMind(people, model, options, asked.model.sampling), lists, dataset, seed)


def _by_pairs(scorer: LanguageScorer, lists: ItemArray) -> Ask:
    async def ask(row: int) -> tuple[FloatArray, Sequence[CallRecord]]:
        said = await scorer.ask(row, lists[row].tolist())
        return np.array([each.score for each in said]), [each.call for each in said if each.call is not None]

    return ask


def _by_pages(mind: LanguageMind, lists: ItemArray, dataset: Dataset, seed: int) -> Ask:
    site = PaginatedFeed(lists.shape[1], 1, dataset.scale, opinions=dataset.opinions)
    unseen = sp.csr_array((1, len(dataset.catalog)), dtype=np.float64)

    async def ask(row: int) -> tuple[FloatArray, Sequence[CallRecord]]:
        who = np.array([row])
        sessions = Sessions(who, who, 0, Draws.for_sessions(seed, who, 0))
        record = await browse(sessions, unseen, recommender=_Lists(lists), environment=site, mind=mind)
        decision = record.turns[0].turn.decision
        if decision.unreadable[0]:
            return np.full(lists.shape[1], np.nan), decision.trace.calls
        if (chance := decision.trace.chances.get("click")) is None:
            return decision["click"][0].astype(np.float64), decision.trace.calls
        likely = np.clip(chance.probability[0], _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN)
        return logit(likely), decision.trace.calls

    return ask


class _Lists(Recommender):
    """Shows each agent the items of its scene, in the order of the scene."""

    def __init__(self, lists: ItemArray) -> None:
        self._lists = lists

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """There is nothing to learn."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        items = self._lists[request.users]
        return Ranking.deterministic(items, np.full(items.shape, np.nan))

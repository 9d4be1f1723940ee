"""An agent plans the use of tools first, and a critic sees what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import Prompt, one_line
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.impressions import Impressions
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.language.asking import LARGEST_SEED, Asker, Question, nothing_to_list
from groundlings.recommenders.language.first_lists import first_lists
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.passed_over import PassedOver
from groundlings.recommenders.language.plans import VERDICT_SCHEMA, ToolUse, plan_schema, read_plan, read_verdict
from groundlings.recommenders.language.titles import Titles
from groundlings.recommenders.language.tools.bus import ABOUT, Bus, ToolBox
from groundlings.recommenders.language.tools.tool import Seat
from groundlings.recommenders.language.wording import ItemWords, told_history

TEMPLATE = "interec_agent"
CRITIC = "interec_critic"
"""Name of the critic's questions in the log; they are made from the same file."""

_TOKENS_OF_A_STEP, _TOKENS_OF_A_VERDICT = 150, 80
_SHOWN = 10
"""Names of a list that the critic reads at most."""
_LONGEST_WISH, _LONGEST_ADVICE = 200, 200
"""Characters."""

_Read = TypeVar("_Read")


@dataclass(slots=True)
class _Desk:
    """What is at hand while one list is made."""

    row: int
    begun: ItemArray
    size: int
    page: int
    seat: Seat
    draws: Draws
    shared: str
    about_user: str
    calls: list[CallRecord] = field(default_factory=list)


class InteRecAgent(LlmRanker):
    """Lets a language model plan which tools narrow and order a catalogue that it never sees.

    The method of Huang et al. (2025), "Recommender AI agent: integrating large language models for interactive
    recommendations", ACM Transactions on Information Systems. One question asks for a whole plan, a list of tools with
    what each is asked; the tools are used in that order on a *candidate bus* (`tools.bus`), of which the model reads a
    track and never the items. A critic, at temperature 0, then sees the track and the list; where it objects, one
    more plan is asked for with its advice.

    The request of a user who browses is that of whoever says nothing: what comes next. A request in words
    (`RankingRequest.queries`) is told as it is. The model is shown the latest items of the user's history and those
    that the user was shown and did not take.

    Args:
        of: Whose order is the user's preference: the bus begins with what it lists. It may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn; the critic's are drawn at temperature 0.
        candidates: How many items the bus begins with; by default all that `of` can list for the session.
        history: How many of a user's latest different items the model is shown.
        unwanted: How many of the items that a user was shown and did not take it is shown, the latest ones.
        steps: Tools of a plan at most.
        reviews: How often a critic may send a list back; a list takes at most 1 + 2 x `reviews` questions.
        fallback: `candidates` lists those of `of` where no plan can be read, and fills up a list that came out too
            short. With `none` such a list stays short, and the run stops where nothing is left to list.
    """

    template = TEMPLATE
    reads_queries = True

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=10_000_000)] | None = None,
        history: Annotated[int, Field(ge=0, le=200)] = 20,
        unwanted: Annotated[int, Field(ge=0, le=50)] = 10,
        steps: Annotated[int, Field(ge=1, le=10)] = 5,
        reviews: Annotated[int, Field(ge=0, le=3)] = 1,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        super().__init__(of, model, sampling, candidates or 0, history, "sequential", 1, fallback)
        self._critic = Asker(model, replace(sampling, temperature=0.0))
        self._critic_prompt: Prompt = replace(self._prompt, name=self._prompt.name.replace(TEMPLATE, CRITIC))
        self._steps, self._reviews = steps, reviews
        self._near = ItemKnnRecommender()
        self._passed = PassedOver(unwanted)
        self._catalog: Catalog | None = None
        self._known: Interactions | None = None
        self._titles: Titles | None = None
        self._tools: ToolBox | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside and the likeness of items, note the histories, and make the tools.

        What impressions have told stays.
        """
        super().fit(interactions, catalog)
        self._near.fit(interactions, catalog)
        words = ItemWords(catalog)
        self._titles = Titles.of([words.name(item) for item in range(len(catalog))])
        self._catalog, self._known = catalog, interactions
        self._tools = ToolBox(catalog, interactions, self._titles, self._near)

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, add to the histories, and have the tools know it, too."""
        super().observe(interactions)
        self._known = fitted(self._known, self).joined(interactions)
        self._tools = ToolBox(fitted(self._catalog, self), self._known, fitted(self._titles, self), self._near)

    def observe_impressions(self, impressions: Impressions) -> None:
        """Note what was shown and not taken; see `recommenders.impressions.LearnsFromImpressions`."""
        self._passed = self._passed.followed_by(impressions)

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the recommender inside takes, and the likeness of items."""
        return super().memory_bytes(interactions) + self._near.memory_bytes(interactions)

    def calls_per_list(self) -> Mapping[str, int]:
        """A plan, and for each review a verdict and another plan."""
        return {self._prompt.name: 1 + self._reviews, self._critic_prompt.name: self._reviews}

    def state(self) -> str:
        """What prompts and tools are made of."""
        if self._known is None:
            return ""
        parts = f"{super().state()} {self._near.state()} {self._passed.hash()} {hash_of(self._known.item_counts)}"
        return hash_of(np.frombuffer(parts.encode(), dtype=np.uint8))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; the questions of one list follow each other, those of several do not wait.

        Raises:
            ProviderError: Nothing is left to list, and `fallback` is `none`.
        """
        fitted(self._tools, self)
        begun, calls = await first_lists(self.of, request, self._most or None)
        desks = [self._desk(request, row, each) for row, each in enumerate(begun)]
        found = await side_by_side(self._listed(desk) for desk in desks)
        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        scores = np.full(items.shape, np.nan)
        for desk, listed in zip(desks, found, strict=True):
            calls += desk.calls
            chosen = listed[: request.size]
            items[desk.row, : len(chosen)], scores[desk.row, : len(chosen)] = chosen, -np.arange(len(chosen))
            if self._fallback == "candidates":  # a slot without a score is one of these
                rest = desk.begun[~np.isin(desk.begun, chosen)][: request.size - len(chosen)]
                items[desk.row, len(chosen) : len(chosen) + len(rest)] = rest
        return replace(Ranking.deterministic(items, scores), calls=tuple(calls))

    def _desk(self, request: RankingRequest, row: int, begun: ItemArray) -> _Desk:
        # Draws of the user alone and not of the day, as in `LlmRanker`.
        user = int(request.users[row])
        words, fill = fitted(self._words, self), self._prompt.fill
        wish = request.queries[row] if request.queries is not None else None
        told = fill("silent") if wish is None else fill("wish", wish=one_line(wish, _LONGEST_WISH))
        return _Desk(
            row=row,
            begun=begun,
            size=request.size,
            page=request.page,
            seat=Seat(user, fitted(self._histories, self).of_user(user)[0]),
            draws=Draws.for_sessions(request.draws.root, np.array([user]), 0),
            shared=fill("shared", many=words.many, tools="\n".join(f"{name}: {ABOUT[name]}" for name in ABOUT)),
            about_user="\n\n".join([*self._past(user), told]),
        )

    def _past(self, user: int) -> list[str]:
        """What is known of a user, as sections of a prompt."""
        words, passed = fitted(self._words, self), self._passed.items.get(user)
        past = told_history(self._prompt, words, *fitted(self._histories, self).of_user(user))
        return [past, *([self._prompt.fill("unwanted", items=words.numbered(passed))] if passed else [])]

    async def _listed(self, desk: _Desk) -> ItemArray:
        """The items that are left on the bus in the end, in their order; [] where no plan could be read."""
        if not len(desk.begun):
            return desk.begun
        plan = await self._plan(desk, 0, "")
        if plan is None:
            return self._without_plan(desk)
        bus = self._carried_out(desk, plan)
        for number in range(1, 1 + self._reviews):
            verdict = await self._ask(
                desk, self._critic, self._review(desk, bus), VERDICT_SCHEMA, _TOKENS_OF_A_VERDICT, read_verdict, number
            )
            if verdict is None or verdict.good:
                break
            track = "\n".join(bus.track)
            again = self._prompt.fill(
                "again", track=track, advice=one_line(verdict.advice, _LONGEST_ADVICE) or "none given"
            )
            plan = await self._plan(desk, number, again)
            if plan is None:  # the list that was sent back is what there is
                break
            bus = self._carried_out(desk, plan)
        return bus.items if len(bus.items) else self._without_plan(desk)

    async def _plan(self, desk: _Desk, number: int, again: str) -> tuple[ToolUse, ...] | None:
        """A plan, None where the reply cannot be read; `again` is what became of the one before."""
        ask = self._prompt.fill("plan", most=self._steps, size=desk.size)
        told = "\n\n".join([desk.about_user, *([again] if again else []), ask])
        read = partial(read_plan, tools=tuple(ABOUT), most=self._steps)
        return await self._ask(
            desk, self._asker, told, plan_schema(ABOUT, self._steps), _TOKENS_OF_A_STEP * self._steps, read, number
        )

    def _carried_out(self, desk: _Desk, plan: Sequence[ToolUse]) -> Bus:
        bus = Bus.of(desk.begun)
        fitted(self._tools, self).carry_out(plan, bus, desk.seat)
        return bus

    def _review(self, desk: _Desk, bus: Bus) -> str:
        """What the critic is told."""
        shown = bus.items[: min(desk.size, _SHOWN)].tolist()
        items = fitted(self._words, self).numbered(shown) or "nothing"
        track = "\n".join(bus.track)
        asked = self._prompt.fill("critic", track=track, left=len(bus.items), size=desk.size, items=items)
        return f"{desk.about_user}\n\n{asked}"

    async def _ask(
        self,
        desk: _Desk,
        asker: Asker,
        told: str,
        schema: dict[str, Any],
        more_tokens: int,
        read: Callable[[str], _Read],
        number: int,
    ) -> _Read | None:
        """What the planner or the critic says, None where it cannot be read."""
        prompt = self._critic_prompt if asker is self._critic else self._prompt
        lot = desk.draws.uniform(f"{prompt.name.partition('-')[0]} {number}", np.array([desk.page]))[0]
        seed = int(float(lot) * LARGEST_SEED)
        question = Question(prompt, desk.shared, told, schema, more_tokens, seed, desk.row)
        said, call = await asker.ask(question, read)
        desk.calls.append(call)
        return said

    def _without_plan(self, desk: _Desk) -> ItemArray:
        """Nothing; raises `ProviderError` where no `fallback` says what is listed then."""
        if self._fallback == "none":
            what = f"no plan of {self._asker.model.name} left anything to list"
            raise nothing_to_list(self.template, what, desk.calls[-1])
        return desk.begun[:0]

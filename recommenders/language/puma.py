"""An agent chooses a function of the site, and writes its parameter by the part of the user's past that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import Prompt, one_line
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.language.asking import LARGEST_SEED, Question, nothing_to_list
from groundlings.recommenders.language.first_lists import first_lists
from groundlings.recommenders.language.function_calls import (
    CHOICE_SCHEMA,
    QUERY_SCHEMA,
    SEARCH,
    names_schema,
    read_choice,
    read_names,
    read_query,
)
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.task_memory import TaskMemory
from groundlings.recommenders.language.tools.search import CatalogueSearch

TEMPLATE = "puma"
"""Name of the prompt file, and of the questions for a parameter in the log."""
CHOICE = "puma_choice"
"""Name of the questions for a function in the log; they are made from the same file."""

_TOKENS_OF_A_WORD, _TOKENS_OF_A_QUERY = 20, 60
_LONGEST_WISH = 200
"""Characters."""
_BYTES_PER_TOKEN = 2

_Read = TypeVar("_Read")


@dataclass(slots=True)
class _Desk:
    """What is at hand while one list is made."""

    row: int
    page: int
    draws: Draws
    memory: list[int]
    wish: str
    calls: list[CallRecord] = field(default_factory=list)


class Puma(LlmRanker):
    """Lets a language model choose between searching and recommending, and write what the function is called with.

    The two steps of Cai et al. (2025), "Large language models empowered personalized web agents", WWW (PUMA): one
    question chooses the function, the next one writes its parameter, told the part of the user's history that fits the
    task (`task_memory`). The query goes to a search in the words of the catalogue, the names to the nearest neighbours
    of `item_knn`. The paper tunes the model for both steps; here it is asked as it is. Where the user has no history,
    there is nothing to recommend by, and the query is asked for at once.

    What the function returns comes first; where a list is to hold more, those of `of` follow.

    Args:
        of: Whose items may be returned, in whose order those that fit alike stand; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many of its items; by default all that `of` can list for the session.
        history: How many of a user's latest different items can be recalled.
        memory: How many of them the model is told.
        names: How many of these it may name.
        fallback: `candidates` lists those of `of` where a reply cannot be read or the function returns nothing; with
            `none` the run stops.
    """

    template = TEMPLATE
    reads_queries = True

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=10_000_000)] | None = None,
        history: Annotated[int, Field(ge=0, le=200)] = 100,
        memory: Annotated[int, Field(ge=1, le=50)] = 10,
        names: Annotated[int, Field(ge=1, le=30)] = 5,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        super().__init__(of, model, sampling, candidates or 0, history, "sequential", 1, fallback)
        self._choice_prompt: Prompt = replace(self._prompt, name=self._prompt.name.replace(TEMPLATE, CHOICE))
        self._entries, self._names = memory, names
        self._near = ItemKnnRecommender()
        self._search: CatalogueSearch | None = None
        self._memory: TaskMemory | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside and the likeness of items, note the histories, and read the catalogue."""
        super().fit(interactions, catalog)
        self._near.fit(interactions, catalog)
        self._search = CatalogueSearch(catalog)
        self._memory = TaskMemory(catalog, self._search, self._entries)

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the recommender inside takes, and the likeness of items."""
        return super().memory_bytes(interactions) + self._near.memory_bytes(interactions)

    def calls_per_list(self) -> Mapping[str, int]:
        """A function, and its parameter."""
        return {self._choice_prompt.name: 1, self._prompt.name: 1}

    def state(self) -> str:
        """What the recommender inside has learnt, the histories, and the likeness of items."""
        if self._memory is None:
            return ""
        return hash_of(np.frombuffer(f"{super().state()} {self._near.state()}".encode(), dtype=np.uint8))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; the two questions of a list follow each other, those of several do not wait.

        Raises:
            ProviderError: A function could not be called or returned nothing, and `fallback` is `none`.
        """
        fitted(self._memory, self)
        lists, calls = await first_lists(self.of, request, self._most or None)
        desks = [self._desk(request, row) for row in range(len(request))]
        found = await side_by_side(self._called(desk) for desk in desks)
        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        scores = np.full(items.shape, np.nan)
        for desk, fit, begun in zip(desks, found, lists, strict=True):
            calls += desk.calls
            if not len(begun):
                continue
            own = np.zeros(len(begun)) if fit is None else fit[begun]
            if self._fallback == "none" and not own.any():
                self._stop(desk.calls[-1])
            order = np.argsort(-own, kind="stable")[: request.size]
            items[desk.row, : len(order)] = begun[order]
            # A slot without a score is one that the function did not return.
            scores[desk.row, : len(order)] = np.where(own[order] > 0, own[order], np.nan)
        return replace(Ranking.deterministic(items, scores), calls=tuple(calls))

    def _desk(self, request: RankingRequest, row: int) -> _Desk:
        # Draws of the user alone and not of the day, as in `LlmRanker`.
        user = int(request.users[row])
        wish = request.queries[row] if request.queries is not None else None
        fill = self._prompt.fill
        return _Desk(
            row=row,
            page=request.page,
            draws=Draws.for_sessions(request.draws.root, np.array([user]), 0),
            memory=fitted(self._memory, self).recalled(fitted(self._histories, self).of_user(user)[0], wish),
            wish=fill("silent") if wish is None else fill("wish", wish=one_line(wish, _LONGEST_WISH)),
        )

    async def _called(self, desk: _Desk) -> FloatArray | None:
        """How well each item of the catalogue fits what the function was called with; None where no reply says it."""
        function = SEARCH
        if desk.memory:
            told = self._told_to(desk, "choice")
            chosen = await self._ask(desk, self._choice_prompt, told, CHOICE_SCHEMA, _TOKENS_OF_A_WORD, read_choice)
            if chosen is None:
                return None
            function = chosen
        if function == SEARCH:
            told = self._told_to(desk, SEARCH)
            query = await self._ask(desk, self._prompt, told, QUERY_SCHEMA, _TOKENS_OF_A_QUERY, read_query)
            return None if query is None else fitted(self._search, self).scores(query)
        return await self._recommended(desk)

    async def _recommended(self, desk: _Desk) -> FloatArray | None:
        """How near each item is to those of the memory that the model names."""
        words, most = fitted(self._words, self), min(self._names, len(desk.memory))
        shown = [words.name(item) for item in desk.memory]
        longest = max(len(name.encode()) + 4 for name in shown)
        named = await self._ask(
            desk, self._prompt, self._told_to(desk, "recommend", most=most), names_schema(shown, most),
            math.ceil(most * longest / _BYTES_PER_TOKEN), lambda text: read_names(text, shown),
        )  # fmt: skip
        return None if named is None else self._near.score_history([desk.memory[place] for place in named.order])

    def _told_to(self, desk: _Desk, section: str, **values: object) -> str:
        """The memory in the fields that a function needs, what is wished for, and what is asked."""
        memory, fill = fitted(self._memory, self), self._prompt.fill
        lines = (memory.described if section == SEARCH else memory.names)(desk.memory)
        past = fill("memory", items=lines) if lines else fill("nothing", many=fitted(self._words, self).many)
        return "\n\n".join([past, desk.wish, fill(section, **values)])

    async def _ask(
        self,
        desk: _Desk,
        prompt: Prompt,
        told: str,
        schema: dict[str, Any],
        more_tokens: int,
        read: Callable[[str], _Read],
    ) -> _Read | None:
        """What a reply says, None where it cannot be read."""
        lot = desk.draws.uniform(prompt.name.partition("-")[0], np.array([desk.page]))[0]
        shared = prompt.fill("shared", many=fitted(self._words, self).many)
        question = Question(prompt, shared, told, schema, more_tokens, int(float(lot) * LARGEST_SEED), desk.row)
        said, call = await self._asker.ask(question, read)
        desk.calls.append(call)
        return said

    def _stop(self, call: CallRecord) -> None:
        raise nothing_to_list(TEMPLATE, f"no function that {self._asker.model.name} called returned anything", call)

"""A language model writes the titles of what comes next, and the catalogue's nearest items are listed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import ThreadpoolController

from groundlings.environments.arrays import NO_ITEM, FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import read_prompt
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.language.asking import LARGEST_SEED, Asker, Question, nothing_to_list
from groundlings.recommenders.language.grounding import Grounding
from groundlings.recommenders.language.histories import Histories
from groundlings.recommenders.language.titles import Titles, read_titles
from groundlings.recommenders.language.wording import TITLE_CHARACTERS, ItemWords, told_history
from groundlings.recommenders.text_vectors import plain_vectors
from groundlings.recommenders.wrapping import OuterRecommender, refuse_drawn_lists

TEMPLATE = "title_generation"
"""Name of the prompt file; the log has it with its version."""

_WIDTH = 128
_YEAR_CHARACTERS = 7
_BYTES_PER_TOKEN = 2


class TitleGeneration(OuterRecommender):
    """Lets a language model write titles of the next item, without candidates, and lists the nearest items.

    The grounding of Bao et al. (2025), "A bi-step grounding paradigm for large language models in recommendation
    systems" (BIGRec), ACM Transactions on Recommender Systems: the model is shown a user's latest items and writes what
    comes next; what it wrote is grounded in the catalogue's items. Their other step, tuning the model on histories, is
    not done here: the model is asked as it is.

    A written title means an item as `titles` says, or none, and is counted then. The list takes turns between the items
    meant: each gives itself, and then the items with the nearest text vectors (`text_vectors.plain_vectors`), up to
    `nearest` that the session may be shown. Behind them the list of `of` follows.

    Args:
        of: Fills lists up, and lists where nothing was meant; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        titles: How many titles the model writes per list; one question asks for all.
        history: How many of a user's latest different items it is shown.
        nearest: Items per title at most.
        fallback: What is listed where no title means an item: `candidates` lists those of `of`; with `none` the run
            stops.
    """

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        titles: Annotated[int, Field(ge=1, le=20)] = 5,
        history: Annotated[int, Field(ge=0, le=200)] = 20,
        nearest: Annotated[int, Field(ge=1, le=100)] = 3,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        super().__init__(of)
        refuse_drawn_lists(of, TEMPLATE)
        self.of = of
        self._asker = Asker(model, sampling)
        self._number, self._length, self._nearest, self._fallback = titles, history, nearest, fallback
        self._prompt = read_prompt(__package__, TEMPLATE)
        self._histories: Histories | None = None
        self._words: ItemWords | None = None
        self._titles: Titles | None = None
        self._vectors: FloatArray = np.zeros((0, 0))

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, note the users' histories, and read the catalogue; the model learns nothing."""
        super().fit(interactions, catalog)
        self._histories, words = Histories.of(interactions, self._length), ItemWords(catalog)
        self._words, self._titles = words, Titles.of([words.name(item) for item in range(len(catalog))])
        vectors = plain_vectors(catalog, _WIDTH)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, and add to the histories."""
        super().observe(interactions)
        self._histories = fitted(self._histories, self).followed_by(interactions)

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the recommender inside takes, and the text vectors."""
        return super().memory_bytes(interactions) + 48 * _WIDTH * interactions.n_items

    def calls_per_list(self) -> Mapping[str, int]:
        """One question for all titles."""
        return {self._prompt.name: 1}

    def state(self) -> str:
        """What the recommender inside has learnt, the histories, and what texts say."""
        if self._histories is None:
            return ""
        known = f"{self.of.state()} {self._histories.hash()}".encode()
        return hash_of(np.frombuffer(known, dtype=np.uint8), self._vectors)

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; asks one question per session, all at once.

        Raises:
            ProviderError: No title of a reply means an item, and `fallback` is `none`.
        """
        fitted(self._histories, self)
        inner = await self.of.rank(request)
        replies = await side_by_side(self._made_of_titles(request, row) for row in range(len(request)))
        items = inner.items.copy()
        for row, (listed, call) in enumerate(replies):
            if listed is None:
                self._stop_without_fallback(call)
                continue
            rest = [item for item in inner.items[row].tolist() if item != NO_ITEM and item not in listed]
            both = [*listed, *rest][: items.shape[1]]
            items[row], items[row, : len(both)] = NO_ITEM, both
        made = Ranking.deterministic(items, np.full(items.shape, np.nan))
        return replace(made, calls=(*inner.calls, *(call for _, call in replies)))

    async def _made_of_titles(self, request: RankingRequest, row: int) -> tuple[list[int] | None, CallRecord]:
        """What the titles give for one session, made while others wait; None where no title means an item."""
        found, call = await self._asked(request, row)
        return (self._listed(request, row, found.order) if found is not None and found.order else None), call

    async def _asked(self, request: RankingRequest, row: int) -> tuple[Grounding | None, CallRecord]:
        """The items that the model means for one session; the question is the same on every day."""
        user = int(request.users[row])
        words, titles, fill = fitted(self._words, self), fitted(self._titles, self), self._prompt.fill
        past = told_history(self._prompt, words, *fitted(self._histories, self).of_user(user))
        lot = Draws.for_sessions(request.draws.root, np.array([user]), 0).uniform(TEMPLATE, np.array([request.page]))[0]
        longest = TITLE_CHARACTERS + _YEAR_CHARACTERS
        title = {"type": "string", "maxLength": longest}
        several = {"type": "array", "items": title, "minItems": self._number, "maxItems": self._number}
        question = Question(
            prompt=self._prompt,
            shared=fill("shared", many=words.many),
            told=f"{past}\n\n{fill('ask', number=self._number, many=words.many)}",
            schema={
                "type": "object",
                "properties": {"titles": several},
                "required": ["titles"],
                "additionalProperties": False,
            },
            more_tokens=math.ceil(self._number * longest / _BYTES_PER_TOKEN),
            seed=int(float(lot) * LARGEST_SEED),
            row=row,
        )
        return await self._asker.ask(question, lambda text: read_titles(text, titles))

    def _listed(self, request: RankingRequest, row: int, meant: Sequence[int]) -> list[int]:
        """The items that those meant give, in turns, without what the session may not be shown."""
        seen = request.seen.indices[slice(*request.seen.indptr[row : row + 2])]
        with _blas().limit(limits=1, user_api="blas"):
            near = [self._vectors @ self._vectors[item] for item in meant]
        queues = []
        for item, alike in zip(meant, near, strict=True):
            alike[item] = np.inf
            alike[seen] = -np.inf
            queues.append(_highest(alike, self._nearest))
        turns = [queue[turn] for turn in range(self._nearest) for queue in queues if turn < len(queue)]
        return list(dict.fromkeys(turns))

    def _stop_without_fallback(self, call: CallRecord) -> None:
        if self._fallback == "none":
            what = f"{self._asker.model.name} gave no title that means an item of the catalogue"
            raise nothing_to_list(TEMPLATE, what, call)


@cache
def _blas() -> ThreadpoolController:
    """Bounds the threads of products; looking for the libraries takes longer than the products of a list."""
    return ThreadpoolController()


def _highest(scores: FloatArray, most: int) -> list[int]:
    """The items of highest score, at most so many, ties by the smaller number; -inf is never among them."""
    size = min(most, len(scores))
    floor = np.partition(scores, -size)[-size]
    enough = np.flatnonzero((scores >= floor) & (scores > -np.inf))
    return enough[np.argsort(-scores[enough], kind="stable")][:size].tolist()

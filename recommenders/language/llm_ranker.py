"""A language model ranks the candidates of another recommender, without training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.errors import ConfigError, UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import read_prompt
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.replies import read_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.language import pairwise
from groundlings.recommenders.language.asking import LARGEST_SEED, Asker, Question, nothing_to_list
from groundlings.recommenders.language.grounding import Grounding, ground
from groundlings.recommenders.language.histories import Histories
from groundlings.recommenders.language.pairwise import Pairs, Won
from groundlings.recommenders.language.wording import ItemWords, told_history
from groundlings.recommenders.wrapping import OuterRecommender, refuse_drawn_lists

TEMPLATE = "llm_ranker"
"""Name of the prompt file; the log has it with its version ("llm_ranker-1")."""

_NUMBER_CHARACTERS = 4
"""Of a number before a name in a reply, which should not be there ("20. ")."""
_BYTES_PER_TOKEN = 2
"""A cautious bound for the tokens of names: tokenizers take three or four bytes of most texts."""


class LlmRanker(OuterRecommender):
    """Lets a language model rank another recommender's candidates by what the user chose before.

    The method of Hou et al. (2024), "Large language models are zero-shot rankers for recommender systems", ECIR: the
    model is shown a user's latest items in order and a few candidates in random order, and writes the candidates in
    its own order. Names in the reply are matched to candidates (`grounding`), and candidates that it leaves out follow
    in the order of `of`. With several rounds the candidates are shown in as many independent orders and an item's
    ranks are added up, which takes away what the model gives to a place rather than to an item (*bootstrapping*).

    Their code asks once more where the right answer is missing from the reply. That looks at the answer, which no
    recommender has, so here each question is asked once. They let the model think step by step before it answers; here
    the reply is the list alone.

    With `compare: pairwise` a question shows all pairs of the candidates, and the reply says of each which item is the
    better one; an item's score is the pairs that it won in all rounds. Rounds 2, 4, ... ask about the pairs of the
    round before with both items exchanged, so that what the model gives to a place cancels: both orders are those of
    Qin et al. (2024), "Large language models are effective text rankers with pairwise ranking prompting", Findings of
    NAACL. They ask about one pair per question; here a round is one question.

    A user's orders and sampling seeds are the same on every day: the same history and candidates put the same question,
    so that lists change only with what was learnt, and a record of calls answers it again.

    Args:
        of: The recommender whose best items are the candidates; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items the model ranks. Where a list is to hold more, those of `of` follow behind.
        history: How many of a user's latest different items it is shown.
        prompt: `sequential` shows the history in order; `recency` also names its last item; `in_context` gives that
            item as the right answer to the history before it (a history of one item is told as with `sequential`).
        rounds: Questions per list.
        fallback: What is listed where no round has a reply that puts candidates in order: `candidates` lists them in
            the order of `of`; with `none` the run stops.
        compare: `listwise` asks for the candidates in order; `pairwise` about each two of them, 12 candidates at most.
    """

    template = TEMPLATE

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=100)] = 20,
        history: Annotated[int, Field(ge=0, le=200)] = 50,
        prompt: Literal["sequential", "recency", "in_context"] = "sequential",
        rounds: Annotated[int, Field(ge=1, le=9)] = 1,
        fallback: Literal["none", "candidates"] = "none",
        compare: Literal["listwise", "pairwise"] = "listwise",
    ) -> None:
        super().__init__(of)
        refuse_drawn_lists(of, self.template)
        if compare == "pairwise" and candidates > pairwise.MOST_CANDIDATES:
            raise ConfigError(
                f"{self.template}: `compare: pairwise` asks about all pairs in one question, of "
                f"{pairwise.MOST_CANDIDATES} candidates at most, found `candidates: {candidates}`. Say fewer, or "
                "choose `compare: listwise`"
            )
        self.of = of
        self._asker = Asker(model, sampling)
        self._most, self._length, self._rounds = candidates, history, rounds
        self._style, self._fallback = prompt, fallback
        self._pairwise = compare == "pairwise"
        self._prompt = read_prompt(__package__, *((pairwise.TEMPLATE,) if self._pairwise else ()), self.template)
        self._histories: Histories | None = None
        self._words: ItemWords | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, and note the users' histories; the model learns nothing."""
        super().fit(interactions, catalog)
        self._histories, self._words = Histories.of(interactions, self._length), ItemWords(catalog)

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, and add to the histories."""
        super().observe(interactions)
        self._histories = fitted(self._histories, self).followed_by(interactions)

    def calls_per_list(self) -> Mapping[str, int]:
        """One question per round."""
        return {self._prompt.name: self._rounds}

    def state(self) -> str:
        """What the recommender inside has learnt, and the histories."""
        if self._histories is None:
            return ""
        return hash_of(np.frombuffer(f"{self.of.state()} {self._histories.hash()}".encode(), dtype=np.uint8))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; asks `rounds` questions per session, all at once.

        Raises:
            ProviderError: There is no reply that puts candidates in order, and `fallback` is `none`.
        """
        fitted(self._histories, self)
        wide = replace(request, size=max(request.size, self._most))
        inner = await self.of.rank(wide)
        lists = [_candidates(inner.items[row], self._most) for row in range(len(request))]
        asked = (self._asked(request, row, each) for row, each in enumerate(lists) if len(each) > 1)
        answers = iter(await side_by_side(asked))
        items, scores = inner.items.copy(), np.full(inner.items.shape, np.nan)
        calls: list[CallRecord] = [*inner.calls]
        for row, each in enumerate(lists):
            if len(each) < 2:  # nothing to put in order
                continue
            replies = next(answers)
            calls += [call for _, call in replies]
            order, points = self._joined(len(each), replies)
            items[row, : len(order)], scores[row, : len(order)] = each[order], points[order]
        listed = Ranking.deterministic(items[:, : request.size], scores[:, : request.size])
        return replace(listed, calls=tuple(calls))

    async def _asked(
        self, request: RankingRequest, row: int, candidates: ItemArray
    ) -> Sequence[tuple[Grounding | Won | None, CallRecord]]:
        """The replies of all rounds for one session; an order is of places in `candidates`."""
        # Of the user alone and not of the day, see the class.
        user = int(request.users[row])
        draws = Draws.for_sessions(request.draws.root, np.array([user]), 0)
        rounds = range(self._rounds)
        if self._pairwise:
            pairs = (self._round_of_pairs(request, row, candidates, draws, each) for each in rounds)
            return await side_by_side(pairs)
        return await side_by_side(self._round(request, row, candidates, draws, each) for each in rounds)

    async def _round(
        self,
        request: RankingRequest,
        row: int,
        candidates: ItemArray,
        draws: Draws,
        number: int,
        notes: Sequence[str] = (),
    ) -> tuple[Grounding | None, CallRecord]:
        """One question of one session; `notes` are paragraphs with what was found out before it."""
        words = fitted(self._words, self)
        lots = draws.uniform(f"llm_ranker order {number}", candidates[None, :].astype(np.int64))[0]
        shown = np.argsort(lots, kind="stable")
        names = [words.name(int(item)) for item in candidates[shown]]
        question = Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", many=words.many),
            told=self._told(int(request.users[row]), candidates[shown].tolist(), notes),
            schema=reply_schema(names),
            more_tokens=math.ceil(sum(len(name.encode()) + 4 for name in names) / _BYTES_PER_TOKEN),
            seed=_seed(draws, number, request.page),
            row=row,
        )
        found, call = await self._asker.ask(question, lambda text: read_order(text, names))
        if found is None:
            return None, call
        return replace(found, order=tuple(int(shown[place]) for place in found.order)), call

    async def _round_of_pairs(
        self, request: RankingRequest, row: int, candidates: ItemArray, draws: Draws, number: int
    ) -> tuple[Won | None, CallRecord]:
        """One question about all pairs; every second round exchanges the items in the pairs of the round before."""
        turn, exchanged = divmod(number, 2)
        pairs = Pairs.drawn(candidates, draws, turn)
        pairs = pairs.exchanged() if exchanged else pairs
        past, seed = self._history_told(int(request.users[row])), _seed(draws, number, request.page)
        question = pairwise.question_about(pairs, candidates, fitted(self._words, self), self._prompt, past, seed, row)
        better, call = await self._asker.ask(question, pairs.read)
        return None if better is None else pairs.won(better, len(candidates)), call

    def _told(self, user: int, shown: Sequence[int], notes: Sequence[str] = ()) -> str:  # noqa: ARG002 - there are none
        """The history and the candidates, as the prompt's style has it."""
        words = fitted(self._words, self)
        listed = self._prompt.fill("candidates", number=len(shown), many=words.many, items=words.numbered(shown))
        return "\n\n".join((*self._history_told(user), listed))

    def _history_told(self, user: int) -> list[str]:
        """The paragraphs of the history, as the prompt's style has it."""
        words, fill = fitted(self._words, self), self._prompt.fill
        items, kinds = fitted(self._histories, self).of_user(user)
        last = words.name(items[-1]) if items else ""
        example = self._style == "in_context" and len(items) > 1
        parts = [told_history(self._prompt, words, items[:-1] if example else items, kinds)]
        if items and self._style == "recency":
            parts.append(fill("recency", last=last))
        if example:
            parts.append(fill("in_context", last=last))
        return parts

    def _joined(
        self, n: int, replies: Sequence[tuple[Grounding | Won | None, CallRecord]]
    ) -> tuple[IntArray, FloatArray]:
        """The order of `n` candidates' places and each one's points added up; ties in the order of the candidates."""
        found = [points for said, _ in replies if (points := _points(said, n)) is not None]
        if not found:
            if self._fallback == "none":
                form = "can be read" if self._pairwise else "names a candidate"
                what = f"{self._asker.model.name} gave no reply that {form}"
                raise nothing_to_list(self.template, what, replies[-1][1])
            return np.arange(n), np.full(n, np.nan)
        total = np.sum(found, axis=0)
        return np.argsort(-total, kind="stable").astype(np.int64), total


def _seed(draws: Draws, number: int, page: int) -> int:
    """The seed of one round's sampling."""
    return int(draws.uniform(f"llm_ranker reply {number}", np.array([page]))[0] * LARGEST_SEED)


def _points(said: Grounding | Won | None, n: int) -> FloatArray | None:
    """What a reply gives to each of `n` candidates: pairs won, or less its rank; None where it orders nothing."""
    if isinstance(said, Won):
        return said.pairs
    if said is None or not said.order:
        return None
    ranks = np.full(n, float(n))  # behind all that was named
    ranks[list(said.order)] = np.arange(1, len(said.order) + 1)
    return -ranks


def _candidates(listed: ItemArray, most: int) -> ItemArray:
    """The first so many items of a list."""
    first = listed[:most]
    return first[first != NO_ITEM]


def reply_schema(candidates: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of a reply: as many names as candidates, in free text, so that what a model makes up is counted.

    A small model that may stop early does: most of its lists are empty.
    """
    longest = max(map(len, candidates)) + _NUMBER_CHARACTERS
    names = {
        "type": "array",
        "items": {"type": "string", "maxLength": longest},
        "minItems": len(candidates),
        "maxItems": len(candidates),
    }
    return {
        "type": "object",
        "properties": {"ranking": names},
        "required": ["ranking"],
        "additionalProperties": False,
    }


def read_order(text: str, candidates: Sequence[str]) -> Grounding:
    """The order that a reply gives.

    Args:
        text: The reply.
        candidates: Their names, in the order shown.

    Raises:
        UnreadableReply: It is not the form asked for; one that names no candidate has an empty order.
    """
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["ranking"] or not isinstance(value["ranking"], list):
        raise UnreadableReply("expected an object with one key, ranking, and a list of names")
    if not all(isinstance(name, str) for name in value["ranking"]):
        raise UnreadableReply("ranking: expected names")
    return ground(value["ranking"], candidates)

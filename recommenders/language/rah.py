"""An assistant between a user and a recommender: it learns what the user dislikes, and leaves that out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import one_line, read_prompt
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.replies import read_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.language.asking import LARGEST_SEED, Asker, Question, nothing_to_list
from groundlings.recommenders.language.grounding import Grounding, ground
from groundlings.recommenders.language.judged import Judged, judged_by
from groundlings.recommenders.language.wording import ItemWords
from groundlings.recommenders.learning import Lessons
from groundlings.recommenders.wrapping import OuterRecommender, refuse_drawn_lists

TEMPLATE = "rah"

_PHRASES, _PHRASE, _TEXT = 8, 80, 300
"""Phrases of a list at most, characters of a phrase, characters of any other text."""
_BYTES_PER_TOKEN = 2


@dataclass(frozen=True, slots=True)
class Tastes:
    """What an assistant holds of its user.

    Attributes:
        prefer, disprefer: Phrases.
    """

    prefer: tuple[str, ...] = ()
    disprefer: tuple[str, ...] = ()

    def told(self) -> str:
        """As lines of a prompt."""
        likes, dislikes = ("; ".join(each) or "nothing is known" for each in (self.prefer, self.disprefer))
        return f"Likes: {likes}\nDislikes: {dislikes}"


class Rah(OuterRecommender):
    """Leaves out of another recommender's lists what an assistant predicts its user to dislike.

    The method of Shu et al. (2024), "RAH! RecSys-Assistant-Human: a human-centered recommendation framework with LLM
    agents": for each item that a user liked or disliked the assistant perceives the item, *learns* what that tells of
    the user's tastes, *acts* on these tastes alone (would the user like it?), and a *critic* says why a wrong
    prediction failed, at most `rounds` times; then it reflects: what was learnt is merged into what it held. A list is
    shown without the items that these tastes predict the user to dislike, filled up with further items of `of`. Where
    too few are left, the items left out follow at the end, because a list of `of` is never made shorter.

    Learning costs per item one question (perceive, once for all users), two per round, one per wrong prediction, and
    one (reflect). A list costs one question. Users who are not among the `learners`, and those of whom nothing is
    known, get the list of `of`, without a question.

    Args:
        of: The recommender whose lists are filtered; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items of `of` the assistant judges.
        learners: How many of the users whom lists are made for have an assistant at most; drawn at random.
        interactions: From how many of their latest likes and dislikes it learns, at a fit and at each day. A user
            without dislikes is given drawn items in their place, as if the user had disliked them.
        rounds: How often it learns from one item at most.
        fallback: What is listed where a reply cannot be read: `of` lists what `of` does; with `none` the run stops.
        rating_scale: Says from which rating on an item is liked.
    """

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=1, le=100)] = 20,
        learners: Annotated[int, Field(ge=0, le=10_000_000)] = 50,
        interactions: Annotated[int, Field(ge=1, le=100)] = 4,
        rounds: Annotated[int, Field(ge=1, le=5)] = 3,
        fallback: Literal["none", "of"] = "none",
        rating_scale: RatingScale | None = None,
    ) -> None:
        super().__init__(of)
        refuse_drawn_lists(of, "rah")
        self.of = of
        self._asker = Asker(model, sampling)
        self._most, self._learners, self._interactions, self._rounds = candidates, learners, interactions, rounds
        self._fallback, self._like_from = fallback, (rating_scale or RatingScale()).like
        self._prompt = read_prompt(__package__, TEMPLATE)
        self._tastes: dict[int, Tastes] = {}
        self._news: list[Interactions] = []
        self._known: Interactions | None = None
        self._catalog: Catalog | None = None
        self._words: ItemWords | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, and forget all tastes; `learn_by_asking` learns them anew."""
        super().fit(interactions, catalog)
        self._tastes, self._news, self._known = {}, [interactions], interactions
        self._catalog, self._words = catalog, ItemWords(catalog)

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, and keep the interactions for learning."""
        super().observe(interactions)
        self._known = fitted(self._known, self).joined(interactions)
        self._news.append(interactions)

    def calls_per_list(self) -> Mapping[str, int]:
        """The question that judges, of a user with an assistant."""
        return {self._prompt.name: 1}

    def calls_to_learn(self, users: int) -> Mapping[str, int]:
        """Perceive and reflect per item, and per round of it learn, act and criticise."""
        per_item = 2 + 3 * self._rounds
        return {self._prompt.name: per_item * self._interactions * min(self._learners, users)}

    def state(self) -> str:
        """What the recommender inside has learnt, and the tastes."""
        if self._known is None:
            return ""
        learnt = f"{self.of.state()} {sorted((user, each.told()) for user, each in self._tastes.items())!r}"
        return hash_of(np.frombuffer(learnt.encode(), dtype=np.uint8))

    def tastes(self) -> Mapping[int, Tastes]:
        """User -> what the assistant holds; users without one are absent."""
        return dict(self._tastes)

    async def learn_by_asking(self, lessons: Lessons) -> None:
        """Learn from the likes and dislikes of what was fitted or observed since the last time."""
        news, self._news = self._news, []
        known = fitted(self._known, self)
        users = np.arange(known.n_users) if lessons.served is None else lessons.served
        lots = Draws.for_sessions(lessons.root, users, 0).uniform("rah learner")
        users = np.sort(users[np.argsort(lots, kind="stable")[: self._learners]])
        for each in news:
            judged = judged_by(
                each, known, users, most=self._interactions, like_from=self._like_from, root=lessons.root
            )
            await side_by_side(self._learn(lessons, user, items) for user, items in judged.items())

    async def _learn(self, lessons: Lessons, user: int, judged: Sequence[Judged]) -> None:
        """What one user's items tell, one after the other."""
        for each in judged:
            learnt = await self._from_item(lessons, user, each)
            if learnt is None:
                continue
            held = self._tastes.get(user)
            if held is not None:
                merged = await self._lesson(
                    lessons, user, each.item, "reflect", _LISTS, tastes=held.told(), news=learnt.told()
                )
                learnt = None if merged is None else _tastes(merged)
            if learnt is not None:
                self._tastes[user] = learnt

    async def _from_item(self, lessons: Lessons, user: int, judged: Judged) -> Tastes | None:
        """Learn, act, criticise; what was learnt last, None where a reply could not be read."""
        item = judged.item
        name, right = fitted(self._words, self).name(item), "like" if judged.liked else "dislike"
        kinds = one_line(", ".join(fitted(self._catalog, self).genres[item]), _TEXT) or "not known"
        perceived = await self._lesson(lessons, -1, item, "perceive", {"description": _STRING}, name=name, kinds=kinds)
        described = {
            "name": name,
            "description": "none" if perceived is None else one_line(str(perceived["description"]), _TEXT),
        }
        held, before, learnt = self._tastes.get(user, Tastes()).told(), "", None
        for _ in range(self._rounds):
            said = await self._lesson(
                lessons, user, item, "learn", _LISTS, tastes=held, action=f"{right}d", before=before, **described
            )
            if said is None:
                return learnt
            learnt = _tastes(said)
            acted = await self._lesson(lessons, user, item, "act", _ACTION, tastes=learnt.told(), **described)
            if acted is None or acted["action"] == right:
                return learnt
            wrong = {"tastes": learnt.told(), "wrong": f"{acted['action']}s"}
            pro, con = (one_line(str(acted[key]), _TEXT) for key in ("for", "against"))
            advice = await self._lesson(
                lessons, user, item, "critic", _ADVICE, right=f"{right}s", pro=pro, con=con, **wrong, **described
            )
            if advice is None:
                return learnt
            told = {key: one_line(str(advice[key]), _TEXT) for key in _ADVICE}
            before = self._prompt.fill("again", **wrong, **told) + "\n"
        return learnt

    async def _lesson(
        self, lessons: Lessons, user: int, item: int, section: str, keys: Mapping[str, Any], **told: object
    ) -> Mapping[str, Any] | None:
        """The reply to a question of learning, None where it cannot be read; `user` is -1 where it is about none."""
        about = Draws.for_sessions(lessons.root, np.array([user + 1]), 0)
        lot = about.uniform(f"rah {section}", np.array([item]))[0]
        question = self._question(section, told, keys, seed=int(lot * LARGEST_SEED), row=0, extra=len(keys) * _TEXT)
        return await lessons.ask(self._asker, question, lambda text: _read(text, keys))

    def _question(
        self, section: str, told: Mapping[str, object], keys: Mapping[str, Any], *, seed: int, row: int, extra: int
    ) -> Question:
        many = fitted(self._words, self).many
        return Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", many=many),
            told=self._prompt.fill(section, **{"many": many, **told}),
            schema={"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False},
            more_tokens=math.ceil(extra / _BYTES_PER_TOKEN),
            seed=seed,
            row=row,
        )

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; one question per session of a user with an assistant.

        Raises:
            ProviderError: A reply cannot be read, and `fallback` is `none`.
        """
        fitted(self._known, self)
        inner = await self.of.rank(replace(request, size=request.size + self._most))
        judged = await side_by_side(self._judge(request, row, inner.items[row]) for row in range(len(request)))
        items, scores = inner.items.copy(), inner.scores.copy()
        for row, (withheld, _) in enumerate(judged):
            if withheld:
                behind = np.isin(items[row], withheld)
                order = np.lexsort((behind, items[row] == NO_ITEM))  # empty places last, what is left out before them
                items[row], scores[row] = items[row][order], scores[row][order]
        listed = Ranking.deterministic(items[:, : request.size], scores[:, : request.size])
        return replace(listed, calls=(*inner.calls, *(call for _, call in judged if call is not None)))

    async def _judge(self, request: RankingRequest, row: int, listed: ItemArray) -> tuple[list[int], CallRecord | None]:
        """The items to leave out of one list, and the call."""
        user, words = int(request.users[row]), fitted(self._words, self)
        held, first = self._tastes.get(user), listed[: self._most]
        candidates = first[first != NO_ITEM].tolist()
        if held is None or not candidates:
            return [], None
        names = [words.name(item) for item in candidates]
        draws = Draws.for_sessions(request.draws.root, np.array([user]), 0)
        longest = max(map(len, names)) + 4
        keys = {
            "disliked": {"type": "array", "items": {"type": "string", "maxLength": longest}, "maxItems": len(names)}
        }
        question = self._question(
            "judge",
            {"tastes": held.told(), "number": len(names), "items": words.numbered(candidates)},
            keys,
            seed=int(draws.uniform("rah judge", np.array([request.page]))[0] * LARGEST_SEED),
            row=row,
            extra=sum(len(name.encode()) + 4 for name in names),
        )
        found, call = await self._asker.ask(question, lambda text: read_disliked(text, names))
        if found is None and self._fallback == "none":
            what = f"{self._asker.model.name} gave a reply that cannot be read"
            raise nothing_to_list("rah", what, call, fallback="of")
        return [] if found is None else [candidates[place] for place in found.order], call


def read_disliked(text: str, candidates: Sequence[str]) -> Grounding:
    """The candidates that a reply says the user dislikes; raises `UnreadableReply` where it has another form."""
    value = _read(text, {"disliked": {"type": "array"}})
    return ground(value["disliked"], candidates)


_STRING = {"type": "string", "maxLength": _TEXT}
_LIST = {"type": "array", "items": {"type": "string", "maxLength": _PHRASE}, "maxItems": _PHRASES}
_LISTS = {"prefer": _LIST, "disprefer": _LIST}
_ACTION = {"for": _STRING, "against": _STRING, "action": {"type": "string", "enum": ["like", "dislike"]}}
_ADVICE = {"reasons": _STRING, "suggestions": _STRING}


def _tastes(said: Mapping[str, Any]) -> Tastes:
    """The lists of a reply, without blanks."""

    def phrases(key: str) -> tuple[str, ...]:
        kept = (one_line(each, _PHRASE) for each in said[key][:_PHRASES])
        return tuple(dict.fromkeys(each for each in kept if each))

    return Tastes(phrases("prefer"), phrases("disprefer"))


def _read(text: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a reply; raises `UnreadableReply` where it is not the form asked for."""
    value = read_json(text)
    if not isinstance(value, dict) or set(value) != set(keys):
        raise UnreadableReply(f"expected an object with the keys {', '.join(keys)}")
    for key, form in keys.items():
        said = value[key]
        if form["type"] == "array":
            if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
                raise UnreadableReply(f"{key}: expected a list of texts")
        elif not isinstance(said, str) or said not in form.get("enum", (said,)):
            raise UnreadableReply(f"{key}: expected {' or '.join(form.get('enum', ('text',)))}")
    return value

"""What the arms' recommenders ask language models at most, before anything is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.environment import CountsLists
from groundlings.environments.errors import ProviderError
from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.experiments.config.designs import SplitDesign, assigned_arms, shares_of
from groundlings.experiments.config.schema import ArmConfig
from groundlings.experiments.running.asking_time import Wish, asking_words
from groundlings.experiments.running.interventions import check_with_data
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.language.call_bounds import calls_per_list, calls_to_learn, unsaid
from groundlings.recommenders.learning import Lessons, learn
from groundlings.simulator.language.budget import BudgetConfig, amount
from groundlings.simulator.language.scripted import ScriptedModel, count_tokens, legal_reply

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_SAMPLE = 8
"""Users whose questions are made, to see how long they are."""
_FITTED_ON = 100
"""Users, those of the sample among them, whom recommenders are fitted on for that: no length depends on more."""


@dataclass(frozen=True, slots=True)
class ArmCalls:
    """What the recommender of an arm asks a language model at most.

    Attributes:
        arm: The arm's name.
        lists: Lists that it makes, if everybody comes every day and sees all pages.
        per_list: Prompt -> questions for one list.
        to_learn: Prompt -> questions of learning, of all days together.
        unsaid: Recommenders in the arm that do not say how often they ask; what they ask is not counted here.
        prompt_tokens: About how many tokens all questions take; None where none could be made beforehand.
        completion_tokens: The most that all replies may take; None likewise.
        money: What these cost where the file says what tokens cost; None where it does not.
    """

    arm: str
    lists: int
    per_list: Mapping[str, int]
    to_learn: Mapping[str, int]
    unsaid: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    money: float | None = None

    @property
    def calls(self) -> int:
        """All of them."""
        return self.lists * sum(self.per_list.values()) + sum(self.to_learn.values())


def arms_calls(plan: Plan) -> tuple[ArmCalls, ...]:
    """The calls of each arm that names a model, in the order of the arms."""
    swaps = check_with_data(plan) if plan.config.interventions else {}
    return tuple(
        _arm_calls(plan, arm, [each for place, each in swaps.items() if place.partition(".")[2] == arm.name])
        for arm in plan.config.arms
        if arm.model is not None
    )


def _arm_calls(plan: Plan, arm: ArmConfig, later: list[AsyncRecommender]) -> ArmCalls:
    """The calls of one arm; `later` are the recommenders that interventions bring."""
    assert arm.model is not None
    people = _people(plan, arm)
    env = plan.environment
    lists_per_session = env.lists_per_session if isinstance(env, CountsLists) else env.max_pages
    each = [plan.recommender(arm), *later]
    per_list: Counter[str] = Counter()
    for one in each:
        per_list |= calls_per_list(one)  # the larger of the two: a session is served by one of them
    # Learning happens once before each day, after a fit or after the day before.
    to_learn = sum((calls_to_learn(one, people) for one in each), Counter[str]())
    bound = ArmCalls(
        arm=arm.name,
        lists=people * plan.schedule.most_sessions * lists_per_session,
        per_list=per_list,
        to_learn={prompt: calls * plan.schedule.days for prompt, calls in to_learn.items()},
        unsaid=tuple(dict.fromkeys(name for one in each for name in unsaid(one))),
    )
    sizes = None if not bound.calls or arm.name in plan.supplied.recommenders else _sizes(plan, arm)
    if sizes is None:
        return bound
    list_calls = bound.lists * sum(per_list.values())
    of_lists, of_learning = sizes
    tokens_in, tokens_out = (
        round(list_calls * at_list + (bound.calls - list_calls) * at_learning)
        for at_list, at_learning in zip(of_lists, of_learning, strict=True)
    )
    prices = arm.model.budget.prices
    money = prices.cost(tokens_in, 0, tokens_out) if prices else None
    return replace(bound, prompt_tokens=tokens_in, completion_tokens=tokens_out, money=money)


def _people(plan: Plan, arm: ArmConfig) -> int:
    """How many agents an arm has."""
    design = plan.config.design
    if not isinstance(design, SplitDesign):
        return len(plan.population)
    names = [each.name for each in plan.config.arms]
    if plan.assignment is not None:
        return int((plan.assignment.homes == names.index(arm.name)).sum())
    ids = [plan.dataset.people.user_ids[user] for user in plan.population.users]
    return int((assigned_arms(plan.config.seed, ids, shares_of(design, names)) == names.index(arm.name)).sum())


class _Measuring(ScriptedModel):
    """The scripted model; notes what each question takes, and the most that its reply may."""

    def __init__(self) -> None:
        super().__init__(legal_reply)
        self.sizes: list[tuple[int, int]] = []

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        self.sizes.append((sum(count_tokens(each.content) for each in request.messages), request.max_tokens))
        return await super().ask(request)

    def taken(self) -> tuple[float, float]:
        """Mean tokens in, and out at most, since the last time; 0 where nothing was asked."""
        noted, self.sizes = self.sizes, []
        into, out = np.mean(noted, axis=0).tolist() if noted else (0.0, 0.0)
        return into, out


def _sizes(plan: Plan, arm: ArmConfig) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Mean tokens in, and out at most, of a question for a list and of one of learning, over a few users.

    None where the recommender cannot be asked with the scripted model: an own class may expect other replies.
    """
    model = _Measuring()
    users = plan.population.users[:_SAMPLE]
    train = plan.split.train
    few = train.take(np.isin(train.users, np.union1d(users, np.unique(train.users)[:_FITTED_ON])))
    recommender = replace(plan, models={**plan.models, arm.name: model}).recommender(arm)
    size = plan.environment.page_size * plan.environment.max_pages

    async def ask() -> tuple[tuple[float, float], tuple[float, float]]:
        recommender.fit(few, plan.dataset.catalog)
        await learn(recommender, Lessons(plan.config.seed, np.sort(users)))
        learnt = model.taken()
        for user in users:
            one = np.array([user])
            request = RankingRequest(
                one, size, rows_of(plan.first_seen, one), Draws.for_sessions(plan.config.seed, one, 0)
            )
            try:
                await recommender.rank(request)
            except ProviderError:
                continue  # no reply was of use, and no fallback is said; the questions are counted
        listed = model.taken()
        return (listed if listed[0] else learnt), (learnt if learnt[0] else listed)

    try:
        return asyncio.run(ask())
    except Exception:  # whatever a class of one's own raises at replies it does not know: `check` says "not known"
        return None


def together(of_runs: list[tuple[ArmCalls, ...]]) -> tuple[ArmCalls, ...]:
    """The calls of arms of several runs, by the arm's name."""
    found: dict[str, ArmCalls] = {}
    for each in (one for arms in of_runs for one in arms):
        before = found.get(each.arm)
        found[each.arm] = each if before is None else _added(before, each)
    return tuple(found.values())


def _added(one: ArmCalls, other: ArmCalls) -> ArmCalls:
    def both(mine: float | None, theirs: float | None) -> float | None:
        return None if mine is None or theirs is None else mine + theirs

    tokens = [both(getattr(one, of), getattr(other, of)) for of in ("prompt_tokens", "completion_tokens")]
    return replace(
        one,
        lists=one.lists + other.lists,
        per_list=Counter(one.per_list) | Counter(other.per_list),
        to_learn=Counter(one.to_learn) + Counter(other.to_learn),
        unsaid=tuple(dict.fromkeys((*one.unsaid, *other.unsaid))),
        prompt_tokens=None if tokens[0] is None else int(tokens[0]),
        completion_tokens=None if tokens[1] is None else int(tokens[1]),
        money=both(one.money, other.money),
    )


def arm_lines(plan: Plan, found: ArmCalls, wish: Wish) -> Iterator[str]:
    """What `groundlings check` says of the calls of an arm, line by line."""
    place, arm = next((n, each) for n, each in enumerate(plan.config.arms) if each.name == found.arm)
    assert arm.model is not None
    if found.unsaid:
        yield (
            f"{arm.name}: not known, {', '.join(found.unsaid)} does not say how often it asks (calls_per_list, "
            f"calls_to_learn); arms[{place}].model.budget sets a cap"
        )
    if not found.calls:
        if not found.unsaid:
            yield f"{arm.name}: no calls, its recommender asks nothing"
        return
    parts = [f"{found.lists:,} lists x {sum(found.per_list.values())} ({_prompts(found.per_list)})"]
    if found.to_learn:
        parts.append(f"to learn {sum(found.to_learn.values()):,} ({_prompts(found.to_learn)})")
    yield f"{arm.name}: at most {found.calls:,} calls = {' + '.join(parts)}"
    if found.prompt_tokens is None:
        yield f"{arm.name}: tokens not known, its questions cannot be made beforehand"
    else:
        costs = found.money
        money = "" if costs is None else f"; money about {amount(costs, 2)} at most, at the prices of its budget"
        yield (
            f"{arm.name}: about {found.prompt_tokens:,} tokens in for all of these, at most "
            f"{found.completion_tokens:,} out{money}"
        )
    share = plan.schedule.likely_sessions / max(plan.schedule.most_sessions, 1)
    learning = sum(found.to_learn.values())
    likely = round((found.calls - learning) * share) + learning
    if words := asking_words(arm.model, likely, wish):
        yield f"{arm.name}: {words}"


def _prompts(calls: Mapping[str, int]) -> str:
    return ", ".join(f"{prompt} {number:,}" for prompt, number in calls.items()) or "none"


def budget_note(
    key: str, budget: BudgetConfig, calls: int, tokens: tuple[int, int] | None, money: float | None
) -> str | None:
    """A line where the most that a plan can take is beyond a cap; None where it fits, or there is no cap.

    It is no error: fewer may come than can, and a run that reaches its cap keeps what it has.

    Args:
        key: Of the model in the experiment file.
        budget: The cap.
        calls: At most.
        tokens: In and out at most; None = not known.
        money: At most; None = not known.
    """
    over = []
    if budget.calls is not None and calls > budget.calls:
        over.append(f"{calls:,} calls against a cap of {budget.calls:,}")
    if budget.tokens is not None and tokens is not None and sum(tokens) > budget.tokens:
        over.append(f"{sum(tokens):,} tokens against a cap of {budget.tokens:,}")
    if budget.money is not None and money is not None and money > budget.money:
        over.append(f"{amount(money, 2)} of money against a cap of {amount(budget.money, 2)}")
    if not over:
        return None
    return (
        f"{key}.budget: the run may need up to {', '.join(over)}; where it gets there it stops, keeps what it has, and "
        "can be resumed with a higher cap"
    )

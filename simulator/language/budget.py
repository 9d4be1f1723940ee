"""A hard cap on what a run may take: calls, tokens, money."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest, fingerprint_of
from groundlings.environments.errors import BudgetExhausted
from groundlings.simulator.language.setting_names import setting

_TOKENS_ROUND_A_MESSAGE = 16
_LARGEST_WRITTEN_OUT = 1e15
_A_MILLION = 1_000_000


class Prices(BaseModel):
    """What a million tokens cost, in any one currency."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: float = Field(ge=0)
    """Read for the first time."""
    cached_prompt: float | None = Field(default=None, ge=0)
    """Found in the provider's prefix cache; none costs as much as the first time."""
    completion: float = Field(ge=0)
    """Written."""

    def cost(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost; `prompt_tokens` holds the cached ones."""
        cached_price = self.prompt if self.cached_prompt is None else self.cached_prompt
        fresh = prompt_tokens - cached_tokens
        return (fresh * self.prompt + cached_tokens * cached_price + completion_tokens * self.completion) / _A_MILLION


def amount(money: float, decimals: int = 4) -> str:
    """Money in digits that can be read; of the smallest and the largest amounts, three digits and the power of ten."""
    plain = money == 0 or 10.0**-decimals <= money < _LARGEST_WRITTEN_OUT
    return f"{money:,.{decimals}f}" if plain else f"{money:.3g}"


class BudgetConfig(BaseModel):
    """What a run may take at most; none = no limit. Replies read from a store take nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    calls: int | None = Field(default=None, ge=0, le=10**15)
    """Answered calls."""
    tokens: int | None = Field(default=None, ge=0, le=10**15)
    """Tokens in and out together."""
    money: float | None = Field(default=None, ge=0)
    """In the currency of `prices`."""
    prices: Prices | None = None
    """What tokens cost; without it nothing is said of money."""

    @model_validator(mode="after")
    def _fits_together(self) -> BudgetConfig:
        if self.money is not None and self.prices is None:
            raise ValueError("money: needs prices, what a million tokens cost")
        return self

    @property
    def limited(self) -> bool:
        """Whether there is any cap."""
        return not (self.calls is None and self.tokens is None and self.money is None)


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have taken.

    Attributes:
        calls: How many were answered.
        prompt_tokens, cached_tokens, completion_tokens: As counted by the server; prompt tokens hold the cached ones.
        estimated_calls: How many of the calls have estimates in the place of the server's counts.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    estimated_calls: int = 0

    @classmethod
    def by(cls, reply: ChatReply) -> Spent:
        """What one call has taken; counts below zero, which would give tokens back, count as none."""
        prompt = max(0, reply.prompt_tokens)
        cached = min(max(0, reply.cached_tokens), prompt)
        return cls(1, prompt, cached, max(0, reply.completion_tokens), int(reply.tokens_estimated))

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.estimated_calls + other.estimated_calls,
        )

    def __sub__(self, other: Spent) -> Spent:
        return Spent(
            self.calls - other.calls,
            self.prompt_tokens - other.prompt_tokens,
            self.cached_tokens - other.cached_tokens,
            self.completion_tokens - other.completion_tokens,
            self.estimated_calls - other.estimated_calls,
        )

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.prompt_tokens + self.completion_tokens

    def money(self, prices: Prices | None) -> float:
        """In the currency of the prices; nothing where there are none."""
        if prices is None:
            return 0.0
        return prices.cost(self.prompt_tokens, self.cached_tokens, self.completion_tokens)


class BudgetedModel:
    """Asks only what is still within the cap.

    A request sets aside the most it can take before it is sent, and gives back the rest when it is answered, so
    that a crowd of requests cannot overshoot together. One that no longer fits waits for those on their way; when
    none is left, the budget is exhausted.

    Args:
        model: Who is asked.
        budget: The cap.
        spent: What the run had taken before it was interrupted.
        key: Where the model stands in the experiment file, for messages.
        tell: Is told, once, where tokens are counted by estimate.
    """

    def __init__(
        self,
        model: ChatModel,
        budget: BudgetConfig,
        spent: Spent | None = None,
        key: str = "mind.model",
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._key = key
        self._model = model
        self._budget = budget
        self._tell = tell
        self.spent = spent or Spent()
        self._set_aside = Spent()
        self._settled = asyncio.Event()

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._model.name

    @property
    def model(self) -> ChatModel:
        """Who is asked."""
        return self._model

    @property
    def fingerprint(self) -> str:
        """See `Fingerprinted.fingerprint`: that of the model it asks."""
        return fingerprint_of(self._model)

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`.

        Raises:
            BudgetExhausted: The request could take more than is left.
        """
        return await self.within(most_of(request), lambda: self._model.ask(request))

    async def within(self, most: Spent, send: Callable[[], Awaitable[ChatReply]]) -> ChatReply:
        """Send a request once there is room for it.

        Args:
            most: The most that it can take.
            send: Sends it, and waits for the reply.

        Raises:
            BudgetExhausted: It could take more than is left.
        """
        while reached := self._exceeded(self.spent + self._set_aside + most):
            if not self._set_aside.calls:
                raise BudgetExhausted(
                    f"budget: {reached}{self._by_estimate()}. Raise {setting(self._key, 'budget')} to go on"
                )
            self._settled.clear()
            await self._settled.wait()
        self._set_aside += most
        try:
            reply = await send()
            self._tell_of_estimates(reply)
            self.spent += Spent.by(reply)
        finally:
            self._set_aside -= most
            self._settled.set()
        return reply

    def count_unanswered(self, most: Spent) -> None:
        """Count a request that may have been answered, and whose answer was lost: at its most, so the cap holds."""
        self.spent += replace(most, estimated_calls=1)

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self._model.close()

    def _tell_of_estimates(self, reply: ChatReply) -> None:
        """Say once that the cap is kept by estimate."""
        counts = self._budget.tokens is not None or self._budget.money is not None
        if reply.tokens_estimated and counts and self._tell is not None:
            self._tell(
                f"the budget is counted by estimate, because {self.name} gives no believable counts of tokens: "
                "a token per 4 bytes of a prompt, and per 4 characters of a reply"
            )
            self._tell = None

    def _by_estimate(self) -> str:
        """How far the count rests on estimates, in words; "" = not at all, or no tokens are counted."""
        if not self.spent.estimated_calls or (self._budget.tokens is None and self._budget.money is None):
            return ""
        return (
            f" (the tokens of {self.spent.estimated_calls:,} of {self.spent.calls:,} calls are estimated, because the "
            "server gave no believable counts)"
        )

    def _exceeded(self, wanted: Spent) -> str:
        """Which cap `wanted` would break, in words; "" = none."""
        budget, so_far = self._budget, self.spent
        if budget.calls is not None and wanted.calls > budget.calls:
            return f"{so_far.calls:,} of {budget.calls:,} calls are made"
        if budget.tokens is not None and wanted.tokens > budget.tokens:
            used = f"{so_far.tokens:,} of {budget.tokens:,} tokens are used"
            return f"{used}, and the next call could take more than is left"
        if budget.money is not None and wanted.money(budget.prices) > budget.money:
            spent = so_far.money(budget.prices)
            used = f"{amount(spent)} of {amount(budget.money)} are spent"
            return f"{used}, and the next call could cost more than is left"
        return ""


def most_of(request: ChatRequest) -> Spent:
    """The most that a request can take: no tokenizer makes more tokens than there are bytes."""
    sent = sum(len(message.content.encode()) + _TOKENS_ROUND_A_MESSAGE for message in request.messages)
    return Spent(1, sent, 0, request.max_tokens)

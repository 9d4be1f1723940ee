"""A cap is never passed, however many ask at once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from groundlings.environments.chat import ChatReply, ChatRequest, Message
from groundlings.environments.errors import BudgetExhausted, ProviderError
from groundlings.simulator.language.budget import BudgetConfig, BudgetedModel, Prices, Spent, amount

PRICES = Prices(prompt=1.0, cached_prompt=0.1, completion=4.0)


class Counting:
    """Uses as many tokens as a request's words say, at most what the request allows."""

    name = "counting"

    def __init__(self):
        self.most_at_once = self.now = 0

    async def ask(self, request):
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        used = len(request.messages[0].content)
        return ChatReply("{}", self.name, "", used, used // 2, min(used, request.max_tokens), 0.0)

    async def close(self):
        pass


def _requests(sizes):
    return [ChatRequest((Message("user", "x" * size),), {}, 20, 0.0, number) for number, size in enumerate(sizes)]


def _run(model, sizes):
    async def scenario():
        return await asyncio.gather(*(model.ask(each) for each in _requests(sizes)), return_exceptions=True)

    return asyncio.run(scenario())


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=30),
    st.integers(0, 20),
    st.integers(0, 1500),
    st.floats(0, 0.004),
)
def test_no_crowd_passes_a_cap(sizes, calls, tokens, money):
    model = BudgetedModel(Counting(), BudgetConfig(calls=calls, tokens=tokens, money=money, prices=PRICES))
    results = _run(model, sizes)
    answered = [each for each in results if isinstance(each, ChatReply)]
    assert all(isinstance(each, ChatReply | BudgetExhausted) for each in results)
    assert model.spent.calls == len(answered) <= calls
    assert model.spent.tokens <= tokens
    assert model.spent.money(PRICES) <= money


def test_calls_are_used_up_exactly_and_side_by_side():
    counting = Counting()
    results = _run(BudgetedModel(counting, BudgetConfig(calls=7)), [5] * 12)
    assert sum(isinstance(each, ChatReply) for each in results) == 7
    assert counting.most_at_once == 7
    with pytest.raises(BudgetExhausted, match=r"7 of 7 calls are made.*mind\.model\.budget"):
        raise next(each for each in results if isinstance(each, BudgetExhausted))


def test_what_was_spent_before_counts():
    results = _run(BudgetedModel(Counting(), BudgetConfig(calls=7), Spent(calls=5)), [5] * 4)
    assert sum(isinstance(each, ChatReply) for each in results) == 2


def test_a_call_that_failed_takes_nothing():
    class Failing(Counting):
        async def ask(self, request):
            raise ProviderError("no")

    model = BudgetedModel(Failing(), BudgetConfig(calls=1))
    assert all(isinstance(each, ProviderError) for each in _run(model, [1, 1, 1]))
    assert model.spent == Spent()


def test_cached_tokens_cost_their_own_price():
    assert PRICES.cost(1_000_000, 400_000, 500_000) == pytest.approx(0.6 + 0.04 + 2.0)
    assert Prices(prompt=1.0, completion=0.0).cost(1_000_000, 400_000, 0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("money", "decimals", "said"),
    [(0, 4, "0.0000"), (0.002, 4, "0.0020"), (0.002, 2, "0.002"), (1234.5, 2, "1,234.50"), (1e308, 4, "1e+308")],
)
def test_amounts_are_said_in_digits_that_can_be_read(money, decimals, said):
    assert amount(money, decimals) == said


def test_money_without_prices_is_refused():
    with pytest.raises(ValidationError, match="money: needs prices"):
        BudgetConfig(money=5)

"""Work that asks side by side, in its order, begun a few at a time; and one question, asked once."""

from __future__ import annotations

import asyncio

import pytest

from groundlings.environments.chat import ChatReply, Sampling
from groundlings.environments.errors import ConfigError
from groundlings.environments.prompts import Prompt
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.language.asking import Asker, Question


def test_results_come_in_the_order_of_the_work_and_all_of_it_is_open_together():
    async def scenario():
        last = asyncio.Event()

        async def one(number):
            if number == 99:
                last.set()
            await last.wait()  # ends only where the last one is begun while the first is open
            return number

        return await asyncio.wait_for(side_by_side(one(number) for number in range(100)), 10)

    assert asyncio.run(scenario()) == list(range(100))


def test_where_some_fails_no_question_begins_any_more_and_nothing_is_left_behind():
    asked = []

    async def one(number):
        if number == 3:
            raise ConfigError("no")
        for question in range(2):
            asked.append((number, question))
            await asyncio.sleep(0.001)

    async def scenario():
        with pytest.raises(ConfigError):
            await side_by_side(map(one, range(20)))
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert not asyncio.run(scenario())
    assert asked
    assert all(question == 0 for _, question in asked)


def test_the_first_goes_on_before_the_last_is_begun():
    seen = []

    async def one(number):
        seen.append(("begun", number))
        await asyncio.sleep(0)
        seen.append(("went on", number))

    asyncio.run(side_by_side(map(one, range(1000))))
    assert seen.index(("went on", 0)) < seen.index(("begun", 999))


def test_a_failure_is_raised_and_an_end_from_outside_ends_all():
    ended = []

    async def fails(number):
        if number == 3:
            raise ValueError("three")

    async def waits(number):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    async def cancelled():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(side_by_side(map(waits, range(40))), 0.01)

    with pytest.raises(ValueError, match="three"):
        asyncio.run(side_by_side(map(fails, range(40))))
    asyncio.run(cancelled())
    assert set(ended) <= set(range(40))
    assert ended


class Counting:
    """A model that numbers its replies."""

    name = "counting"

    def __init__(self):
        self.asked = 0

    async def ask(self, request):
        self.asked += 1
        return ChatReply(f"{self.asked}", self.name, "", 1, 0, 1, 0.0)


def asked(*questions):
    """The replies of one asker to questions of (words, seed, perhaps a schema), each with whether from a record."""
    model = Counting()
    asker = Asker(model, Sampling(0.2, 20))

    async def scenario():
        return [
            await asker.ask(Question(Prompt("p-1", "0" * 64, {}), "All.", told, dict(*schema), 0, seed, row), str)
            for row, (told, seed, *schema) in enumerate(questions)
        ]

    found = asyncio.run(scenario())
    assert [call.row for _, call in found] == list(range(len(questions)))
    return [(said, call.reply.from_store) for said, call in found], model.asked


def test_a_question_with_the_words_and_the_seed_of_an_earlier_one_has_its_reply():
    replies, calls = asked(("What next?", 1), ("What next?", 2), ("And then?", 1), ("What next?", 1))
    assert replies == [("1", False), ("2", False), ("3", False), ("1", True)]
    assert calls == 3


def test_a_question_that_asks_for_another_form_is_another_question():
    form = {"type": "array"}
    replies, calls = asked(("What next?", 1), ("What next?", 1, form), ("What next?", 1, form))
    assert replies == [("1", False), ("2", False), ("2", True)]
    assert calls == 2


@pytest.mark.parametrize("bound", ["_REMEMBERED", "_REMEMBERED_CHARACTERS"])
def test_the_oldest_replies_make_room(monkeypatch, bound):
    """Each reply has one character, so that two of them fill either bound."""
    monkeypatch.setattr(f"groundlings.recommenders.language.asking.{bound}", 2)
    replies, calls = asked(("a", 1), ("b", 1), ("c", 1), ("b", 1), ("a", 1))
    assert replies[3:] == [("2", True), ("4", False)]
    assert calls == 4

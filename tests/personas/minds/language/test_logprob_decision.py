"""Graded decisions: the model says how likely, the platform draws, and everything can be checked afterwards."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import ConfigError, UnanswerablePrompt
from groundlings.personas.minds.language.ask import read_odds


class Grader:
    """Opens each title with a stated probability, gives stars by stated shares, goes on with a stated one."""

    name = "grader"

    def __init__(self, opening, stars=(0, 0, 0, 1, 0), next_page=0.5, silent=""):
        self.opening, self.stars, self.next_page, self.silent = opening, stars, next_page, silent
        self.requests = []

    async def ask(self, request):
        self.requests.append(request)
        wanted = request.messages[-1].content.rpartition("That was page")[2]
        if not request.answers:
            return self._reply('{"feel":"content","satisfaction":6}', ())
        if "How many stars" in wanted:
            shares = dict(zip(request.answers, self.stars, strict=True))
        else:
            title = re.search(r"<item>(.*)</item>", wanted)
            yes = self.opening[title[1]] if title else self.next_page
            shares = {"Yes": yes, "No": 1 - yes}
        found = sorted(
            ((word, float(np.log(share))) for word, share in shares.items() if share > 0), key=lambda x: -x[1]
        )
        if self.silent and self.silent in wanted:
            found = [("Well", -0.1)]
        return self._reply(found[0][0], tuple(found))

    def _reply(self, text, first_token):
        return ChatReply(text, "grader", "", 10, 0, 1, 0.0, first_token=first_token)

    async def close(self):
        pass


SURE = {"Alpha": 0.9, "Beta": 0.1, "Gamma": 0.5, "Delta": 0.001}


@pytest.fixture
def world(language, population_of_three):
    return language(population_of_three)


def decided(world, grader, **where):
    options = where.pop("options", {})
    mind, _ = world.mind(grader, decision="graded", **options)
    asked = world.situation(**where)
    return world.decide(mind, asked), asked


def test_probabilities_come_from_the_log_odds_and_clicks_from_the_draws(world):
    decision, asked = decided(world, Grader(SURE))
    np.testing.assert_allclose(decision.trace.probability("click")[0], list(SURE.values()), rtol=1e-6)
    assert np.array_equal(decision.trace.draw("click"), asked.sessions.draws.uniform("click", asked.page.items))
    assert np.array_equal(decision["click"], decision.trace.draw("click") < decision.trace.probability("click"))
    opened = int(decision["click"].sum())
    assert np.array_equal(decision["rate"][0][decision["click"][0]], [4.0] * opened)
    assert (decision["satisfaction"][0], decision.trace.feelings) == (6, ("content",))
    assert decision.trace.probability("next_page")[0] == pytest.approx(0.5)
    assert decision["next_page"][0] == (decision.trace.draw("next_page")[0] < 0.5)
    assert len(decision.trace.calls) == 4 + opened + 2
    assert all(call.request.max_tokens == 1 for call in decision.trace.calls if call.request.answers)


def test_the_draws_are_those_of_every_other_arm(world):
    """A better list meets the same uniform: raising one probability can only add that click."""
    for agent in range(2):
        for day in range(20):
            low, _ = decided(world, Grader(SURE), agent=agent, day=day)
            high, _ = decided(world, Grader({**SURE, "Beta": 0.8}), agent=agent, day=day, items=(3, 1, 2, 0))
            order = [3, 1, 2, 0]
            for slot in range(4):
                if slot != 1:
                    assert low["click"][0, slot] == high["click"][0, order.index(slot)]
            assert low["click"][0, 1] <= high["click"][0, 1]


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, 0.0), (1.0, -2.0)])
def test_slope_and_intercept_work_on_the_log_odds(world, slope, intercept):
    decision, _ = decided(world, Grader(SURE), options={"graded": {"slope": slope, "intercept": intercept}})
    odds = np.log(np.array(list(SURE.values())) / (1 - np.array(list(SURE.values()))))
    np.testing.assert_allclose(
        decision.trace.probability("click")[0], 1 / (1 + np.exp(-slope * odds - intercept)), rtol=1e-6
    )


def test_stars_are_drawn_from_the_digits_and_can_be_drawn_again(world):
    shares = (0.1, 0.2, 0.3, 0.3, 0.1)
    seen = []
    for day in range(40):
        decision, asked = decided(world, Grader(dict.fromkeys(SURE, 1 - 1e-9), stars=shares), day=day)
        uniform = asked.sessions.draws.uniform("stars", asked.page.items)[0]
        for remark in decision.trace.remarks:
            odds = json.loads(remark.text)
            assert odds["u"] == uniform[remark.position]
            expected = 1 + int(np.searchsorted(np.cumsum(list(odds["p"].values())), odds["u"], side="right"))
            assert decision["rate"][0, remark.position] == expected
            seen.append(expected)
    assert np.mean(seen) == pytest.approx(3.1, abs=0.4)
    assert set(seen) == {1, 2, 3, 4, 5}


def test_half_stars_have_a_digit_each(language, population_of_three):
    world = language(population_of_three, stars=tuple(n / 2 for n in range(1, 11)))
    grader = Grader(dict.fromkeys(SURE, 1 - 1e-9), stars=(0,) * 8 + (1, 0))
    decision, _ = decided(world, grader)
    assert set(decision["rate"][0]) == {4.5}
    assert any("9 for 5" in world.prompt(request) for request in grader.requests)
    with pytest.raises(ConfigError, match="found 11"):
        decided(language(population_of_three, stars=tuple(range(11))), grader)


def test_where_no_stars_are_taken_none_are_asked_for(language, population_of_three):
    grader = Grader(dict.fromkeys(SURE, 1 - 1e-9))
    decision, _ = decided(language(population_of_three, stars=()), grader)
    assert decision.get("rate") is None
    assert not any("How many stars" in world_prompt.messages[-1].content for world_prompt in grader.requests)


def test_a_last_page_is_not_asked_whether_to_go_on(world):
    grader = Grader(SURE)
    decision, _ = decided(world, grader, go=False)
    assert not decision["next_page"][0]
    assert np.isnan(decision.trace.probability("next_page")[0])
    assert not any("turn to the next page" in request.messages[-1].content for request in grader.requests)


@pytest.mark.parametrize("silent", ["Beta", "How many stars", "turn to the next page"])
def test_an_answer_out_of_sight_loses_the_page_and_invents_nothing(world, silent):
    opening = dict.fromkeys(SURE, 1 - 1e-9)
    decision, _ = decided(world, Grader(opening, silent=silent))
    assert decision.unreadable[0]
    assert not decision["click"].any()
    assert "unreadable" in {call.status for call in decision.trace.calls}


def test_a_server_without_log_probabilities_is_a_mistake_of_the_configuration(world):
    mind, _ = world.mind(_Mute(SURE), decision="graded")
    # Labs put the same questions to models of keys that are no `mind`.
    with pytest.raises(ConfigError, match=r"^log probabilities .* in an experiment's file, .*decision: verdict"):
        asyncio.run(mind.decide(world.situation()))


class _Mute(Grader):
    def _reply(self, text, first_token):
        return super()._reply(text, ())


def test_spellings_add_up_and_what_is_not_listed_counts_as_its_bound():
    shares = read_odds([("Yes", np.log(0.5)), (" yes", np.log(0.25)), ("no", np.log(0.25))], ("yes", "no"))
    np.testing.assert_allclose(shares, [0.75, 0.25])
    shares = read_odds([("Yes", np.log(0.8)), ("I", np.log(0.05))], ("yes", "no"))
    np.testing.assert_allclose(shares, np.array([0.8, 0.05]) / 0.85)
    shares = read_odds([("Yes", np.log(0.95)), ("I", np.log(0.04))], ("yes", "no"))
    np.testing.assert_allclose(shares, np.array([0.95, 0.01]) / 0.96)
    assert read_odds([("I", -0.1), ("You", -3.0)], ("yes", "no")) is None


@given(st.lists(st.tuples(st.sampled_from(["yes", "No", " NO", "perhaps", ""]), st.floats(-40, 0)), min_size=1))
def test_odds_are_shares_whatever_is_listed(listed):
    shares = read_odds(sorted(listed, key=lambda each: -each[1]), ("yes", "no"))
    if shares is not None:
        assert np.all(shares > 0)
        assert shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf"), 0.7])
def test_what_is_no_log_probability_loses_the_page_and_is_no_refusal(world, broken):
    opening = dict.fromkeys(SURE, 1 - 1e-9)
    decision, _ = decided(world, _Broken(opening, broken=broken))
    assert decision.unreadable[0]
    assert decision.trace.probability("click") is None
    assert [call.status for call in decision.trace.calls].count("unreadable") == 1


def test_one_answer_without_log_probabilities_loses_its_page_where_others_have_them(world):
    decision, _ = decided(world, _Broken(dict.fromkeys(SURE, 0.5), broken=None))
    assert decision.unreadable[0]
    assert "unreadable" in {call.status for call in decision.trace.calls}


class _Broken(Grader):
    """One number of the answer about Beta is no log probability; None = it has no list at all."""

    def __init__(self, opening, broken):
        super().__init__(opening)
        self.broken = broken

    async def ask(self, request):
        reply = await super().ask(request)
        if "<item>Beta</item>" not in request.messages[-1].content.rpartition("That was page")[2]:
            return reply
        first, *others = reply.first_token
        listed = () if self.broken is None else ((first[0], self.broken), *others)
        return replace(reply, first_token=listed)


@given(
    st.lists(st.tuples(st.sampled_from(["yes", "no", "perhaps"]), st.floats(-20_000, 0)), min_size=1, max_size=5),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.5, 1e300]),
    st.integers(0, 4),
)
def test_a_list_with_a_number_that_is_none_is_not_read_at_all(listed, broken, place):
    sound = read_odds(listed, ("yes", "no"))
    if sound is not None:
        assert np.isfinite(np.log(sound)).all(), "next to impossible is not impossible"
    listed.insert(place, ("perhaps", broken))
    assert read_odds(listed, ("yes", "no")) is None


def test_a_question_that_the_server_refuses_loses_the_page_with_its_words(world):
    decision, _ = decided(world, _Refusing(SURE))
    assert decision.unreadable.tolist() == [True]
    assert decision.unanswerable == ("flagged for violence",)
    (refused,) = [call for call in decision.trace.calls if call.status == "unanswerable"]
    assert (refused.reply.text, refused.reply.attempts, refused.reply.tokens_estimated) == (
        "flagged for violence",
        3,
        True,
    )


class _Refusing(Grader):
    async def ask(self, request):
        if "<item>Beta</item>" in request.messages[-1].content.rpartition("That was page")[2]:
            raise UnanswerablePrompt("refused", what="flagged for violence", attempts=3)
        return await super().ask(request)

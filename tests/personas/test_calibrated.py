"""The calibrated mind: weights that are found where there is something to find, and terms that can be taken away."""

from __future__ import annotations

import asyncio
from functools import cached_property

import numpy as np
import pytest
from scipy.special import logit

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.chat import ChatReply, fingerprint_of
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.feed import feed_actions
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.environments.split import people_in_thirds
from groundlings.personas.contract import MindContract, same
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import Situation
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.minds.calibrated import CalibratedMind, CalibratedOptions
from groundlings.personas.minds.calibrated_question import PROMPT, LanguageScorer, QuestionOptions
from groundlings.personas.taste.calibration import FittedFor, read_calibration
from groundlings.personas.taste.calibration_fit import choose_pairs, fit_calibration
from groundlings.personas.taste.features import FEATURES, VERSION
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig

SALT = "a"


class Knower:
    """Gives each prompt the log-odds of yes that it was told, 0 for any other."""

    name = "knower"

    def __init__(self, odds=None, mute=()):
        self.odds, self.mute, self.asked = odds or {}, mute, []

    async def ask(self, request):
        told = request.messages[-1].content
        self.asked.append(told)
        if any(word in told for word in self.mute):
            return ChatReply("Well", self.name, "", 10, 0, 1, 0.0, first_token=(("Well", -0.1),))
        no = -float(np.logaddexp(0, self.odds.get(told, 0.0)))
        listed = (("Yes", no + self.odds.get(told, 0.0)), ("No", no))
        return ChatReply("Yes", self.name, "", 10, 0, 1, 0.0, first_token=listed)

    async def close(self):
        pass


def needed(dataset, model, **changed):
    values = {
        "dataset": dataset.name, "dataset_hash": dataset.fingerprint, "split_kind": "per_user_temporal",
        "test_fraction": 0.2, "salt": SALT, "evidence": FEATURES, "evidence_version": VERSION, "model": model.name,
        "model_fingerprint": fingerprint_of(model), "prompt": PROMPT.name, "prompt_hash": PROMPT.sha256,
        "question": QuestionOptions().model_dump(), "people": 60, "pairs": 8, "seed": 0, **changed,
    }  # fmt: skip
    return FittedFor(**values)


@pytest.fixture(scope="module")
def world(toy, toy_split, toy_population, toy_taste):
    """Fits and asks in the small world; `planted` says how much a model's score tells of what people met later."""

    class World:
        dataset, split, population, taste = toy, toy_split, toy_population, toy_taste

        def scorer(self, model):
            return LanguageScorer(toy_population, model, QuestionOptions())

        def planted(self, strength, seed=0):
            """A model that knows later behaviour so well, behind noise of one standard deviation."""
            chance = np.random.default_rng(seed)
            later = toy_split.test.matrix.toarray() > 0
            noise = chance.normal(size=later.size)
            return Knower(dict(zip(self.told, (strength * later.ravel() + noise).tolist(), strict=True)))

        @cached_property
        def told(self):
            """What is asked of every person and item."""
            blank, (people, items) = self.scorer(Knower()), toy_split.test.matrix.shape
            return [blank.question(user, item).told for user in range(people) for item in range(items)]

        def fit(self, model):
            scorer = self.scorer(model)
            return asyncio.run(fit_calibration(needed(toy, model), toy, toy_split, toy_taste, scorer)), scorer

        def mind(self, model=None, calibration=None, scorer=None, grounding=None, **options):
            asks = "language" in options.get("terms", ("evidence", "language"))
            if asks and calibration is None:
                calibration, scorer = self.fit(model)
            return CalibratedMind(
                toy_population, toy_taste, CalibratedOptions(**options), scorer, calibration, grounding
            )

        def situation(self, user, items, day=0):
            users = np.array([user])
            sessions = Sessions(users, users, day, Draws.for_sessions(7, users, day))
            page = Page(1, 0, np.array([items], dtype=np.int32))
            actions = feed_actions(toy.scale.values, np.array([True]))
            return Situation(sessions, page, actions, np.arange(1))

        def decide(self, mind, user, items, day=0):
            return asyncio.run(mind.decide(self.situation(user, items, day)))

    return World()


@pytest.fixture(scope="module")
def informed(world):
    return world.fit(world.planted(2.0))


class TestCalibratedMind(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, world, informed):
        calibration, scorer = informed
        self.make_mind = lambda: world.mind(calibration=calibration, scorer=world.scorer(scorer.model))


def test_a_score_that_knows_gets_a_weight_and_noise_gets_none(world, informed):
    knows, _ = informed
    assert knows.language.interval[0] > 0
    assert knows.language_alone.interval[0] > 0
    assert knows.gain.interval[0] > 0
    found = [world.fit(world.planted(0.0, seed))[0] for seed in range(8)]
    assert abs(np.mean([each.language.value for each in found])) < 0.15
    assert sum(each.language.interval[0] <= 0 <= each.language.interval[1] for each in found) >= 6
    assert max(each.language.value for each in found) < knows.language.value / 2
    assert all(each.gain.interval[0] <= 0 for each in found)


def test_a_model_that_says_the_same_of_everything_weighs_nothing(world):
    calibration, _ = world.fit(Knower())
    assert (calibration.language.value, calibration.language_alone.value) == (0.0, 0.0)
    assert calibration.evidence.interval[0] > 0


def test_nobody_outside_the_validation_third_is_asked_about(world):
    thirds = people_in_thirds(world.dataset.people.user_ids, SALT)
    chosen = choose_pairs(world.dataset, world.split, salt=SALT, people=1000, pairs=6, seed=0)
    assert set(thirds[chosen.users]) == {1}
    known, later = world.split.train.matrix.toarray() > 0, world.split.test.matrix.toarray() > 0
    assert not known[chosen.users, chosen.items].any()
    assert np.array_equal(later[chosen.users, chosen.items], chosen.met > 0)
    counts = np.bincount(chosen.users)
    assert counts.max() <= 6
    assert np.array_equal(np.bincount(chosen.users, chosen.met), counts / 2)


def test_a_smaller_fit_asks_about_a_part_of_the_people_and_another_seed_about_others(world):
    few, many, other = (
        set(choose_pairs(world.dataset, world.split, salt=SALT, people=people, pairs=4, seed=seed).users)
        for people, seed in ((8, 0), (20, 0), (8, 1))
    )
    assert few < many
    assert few != other


def test_the_file_gives_back_the_same_weights(informed, tmp_path):
    calibration, _ = informed
    path = tmp_path / "weights.json"
    path.write_text(calibration.as_text())
    again = read_calibration(path)
    assert again == calibration
    assert again.sha256 == calibration.sha256


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "not a calibration file"),
        ('{"format": "groundlings calibration 0"}', "format: expected"),
        ("{}", "fitted_for: field required"),
    ],
)
def test_a_file_of_something_else_is_refused_with_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "weights.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_calibration(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_calibration(tmp_path / "nowhere.json")


def test_weights_fit_what_they_were_fitted_for_and_nothing_else(world, informed):
    fitted = informed[0].fitted_for
    assert fitted.mismatches(fitted, size=True) == []
    for name, value in (("dataset_hash", "x"), ("salt", "b"), ("model_fingerprint", "sha256:1"), ("prompt_hash", "x")):
        (difference,) = fitted.mismatches(needed(world.dataset, Knower(), **{name: value}), size=False)
        assert difference.startswith(f"{name} is ")
    larger = needed(world.dataset, Knower(), people=61)
    assert fitted.mismatches(larger, size=False) == []
    assert len(fitted.mismatches(larger, size=True)) == 1
    replayed = fitted.model_copy(update={"model_fingerprint": "sha256:1"})
    assert replayed.mismatches(fitted, size=True) == []  # a replay knows only the model's name


def test_too_few_readable_answers_are_an_error_that_says_so(world):
    with pytest.raises(DataError, match=r"0 held-out items .* unreadable"):
        world.fit(Knower(mute=("item",)))


def test_evidence_alone_is_the_behavioural_mind_and_asks_nobody(world):
    items = (np.arange(90)[:, None] + np.arange(5)) % 60
    agents = np.arange(90)
    sessions = Sessions(agents, agents, 1, Draws.for_sessions(7, agents, 1))
    page = Page(1, 0, items.astype(np.int32))
    asked = Situation(sessions, page, feed_actions(world.dataset.scale.values, agents < 50), np.arange(90))
    mind = world.mind(terms=("evidence",))
    plain = BehaviouralMind(world.population, world.taste, BehaviouralOptions())
    one, other = (asyncio.run(each.decide(asked)) for each in (mind, plain))
    assert mind.cohort_size == plain.cohort_size
    assert same(one, other)
    assert one.trace.calls == ()


def test_language_alone_looks_at_no_taste(world, informed):
    calibration, _ = informed
    model = Knower()
    options = {"terms": ("language",), "random_click_rate": 0.2, "examination_exponent": 1}
    mind = world.mind(calibration=calibration, scorer=world.scorer(model), **options)
    decision = world.decide(mind, 3, (1, 2, 3, 4))
    seen = 1 / np.arange(1, 5)
    assert len(set(np.round(decision.trace.probability("click")[0] / seen, 9))) == 1  # the model says the same of each
    titled = world.scorer(model).question(3, 2).told
    model.odds[titled] = 3.0
    keen = world.mind(calibration=calibration, scorer=world.scorer(model), **options)
    changed = world.decide(keen, 3, (1, 2, 3, 4)).trace.probability("click")[0] > decision.trace.probability("click")[0]
    assert changed.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("utility", "appealing", "pull"),
    [("met", 1.0, 1.0), ("shown", 0.2, 0.2), ({"appeal": 0.5}, 0.5, 0.5), ({"appeal": -0.5}, -0.5, 0.5)],
)
def test_both_terms_add_up_on_the_log_odds_and_pull_alike(world, informed, utility, appealing, pull):
    calibration, _ = informed
    model = Knower()
    model.odds[world.scorer(model).question(3, 2).told] = 2.5
    mind = world.mind(calibration=calibration, scorer=world.scorer(model), utility=utility, examination_exponent=0)
    chance = world.decide(mind, 3, (1, 2)).trace.probability("click")[0]
    appeal = world.taste.appeal(np.array([3]))[0, [1, 2]].astype(float)
    expected = appealing * calibration.evidence.value * (appeal[1] - appeal[0])
    expected += pull * calibration.language.value * 2.5 / calibration.scale
    assert logit(chance[1]) - logit(chance[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("terms", [("language",), ("evidence", "language")])
def test_random_slates_are_opened_at_the_stated_rate(world, informed, terms):
    calibration, scorer = informed
    mind = world.mind(
        calibration=calibration, scorer=scorer, terms=terms, random_click_rate=0.1, examination_exponent=0
    )
    known = (world.split.train.matrix.toarray() + world.split.test.matrix.toarray()) > 0
    chance = np.random.default_rng(3)
    chances = []
    for user in range(90):
        slate = chance.choice(np.flatnonzero(~known[user]), 10, replace=False)
        chances.append(world.decide(mind, user, slate).trace.probability("click")[0])
    assert np.mean(chances) == pytest.approx(0.1, abs=0.03)


def test_the_log_can_be_audited(world, informed):
    calibration, scorer = informed
    mind = world.mind(calibration=calibration, scorer=scorer, random_click_rate=0.4)
    for day in range(20):
        decision = world.decide(mind, day, (5, 6, NO_ITEM, 7), day)
        assert np.array_equal(decision["click"], decision.trace.draw("click") < decision.trace.probability("click"))
        assert not (decision["click"] & ~decision.trace.examined).any()
        assert [remark.position for remark in decision.trace.remarks] == [0, 1, 3]
        assert len(decision.trace.calls) == 3


def test_a_pair_is_asked_about_once_wherever_it_is_shown(world, informed):
    calibration, _ = informed
    model = Knower()
    mind = world.mind(calibration=calibration, scorer=world.scorer(model))
    first, second = world.decide(mind, 3, (1, 2, 3)), world.decide(mind, 3, (3, 9, 1), day=4)
    assert len(model.asked) == 4
    assert [call.reply.from_store for call in first.trace.calls] == [False] * 3
    assert [call.reply.from_store for call in second.trace.calls] == [True, False, True]
    assert first.trace.calls[2].request == second.trace.calls[0].request


def test_the_prompt_goes_from_what_all_share_to_the_item(world):
    scorer = world.scorer(Knower())
    one, other = scorer.question(3, 1), scorer.question(3, 2)
    assert one.shared == other.shared
    assert one.told.splitlines()[:-1] == other.told.splitlines()[:-1]
    assert one.told.splitlines()[-1].startswith("<item>")


def test_an_answer_that_cannot_be_read_loses_the_page_and_invents_nothing(world, informed):
    calibration, _ = informed
    title = world.population.catalog.titles[2]
    mind = world.mind(
        calibration=calibration,
        scorer=world.scorer(Knower(mute=(f"<item>{title} ", f"<item>{title},", f"<item>{title}<"))),
    )
    decision = world.decide(mind, 3, (1, 2, 3))
    assert decision.unreadable.tolist() == [True]
    assert not decision["click"].any()
    assert [call.status for call in decision.trace.calls] == ["ok", "unreadable", "ok"]


def test_grounded_replay_lets_later_behaviour_decide_and_says_where(world):
    later = world.split.test
    user = int(later.users[0])
    met = later.items[later.users == user]
    other = np.setdiff1d(np.arange(60), np.concatenate([met, world.split.train.items[world.split.train.users == user]]))
    items = (int(met[0]), int(other[0]), int(other[1]))
    mind = world.mind(
        terms=("evidence",), grounded=True, grounding=Grounding.of(later), examination_exponent=0, rating_probability=0
    )
    decision = world.decide(mind, user, items)
    assert decision.trace.probability("click")[0, 0] == 1
    assert decision["click"][0, 0]
    given = later.ratings[(later.users == user) & (later.items == items[0])]
    assert decision["rate"][0, 0] == given[-1]
    assert [(each.position, each.kind) for each in decision.trace.remarks] == [(0, "grounded")]
    plain = world.decide(world.mind(terms=("evidence",), examination_exponent=0), user, items)
    assert np.array_equal(decision.trace.probability("click")[0, 1:], plain.trace.probability("click")[0, 1:])
    with pytest.raises(ValueError, match="held-out"):
        world.mind(terms=("evidence",), grounded=True)


@pytest.mark.embedded
def test_the_embedded_model_gives_every_pair_a_score(world):
    pytest.importorskip("xllamacpp")

    async def asked():
        model = await build_chat_model(ModelConfig())
        try:
            return await world.scorer(model).ask(3, [1, 2, 3])
        finally:
            await model.close()

    scored = asyncio.run(asked())
    assert len({round(each.score, 6) for each in scored}) == 3
    assert scored[2].call.reply.cached_tokens > 0.5 * scored[2].call.reply.prompt_tokens

"""A model words what users say: what it is told, what it does not decide, and what becomes of replies that are none."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.conversation.titles_named import TitlesNamed
from groundlings.environments.errors import UnreadableReply
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.running.supplied import Supplied
from groundlings.personas.contract import MindContract
from groundlings.personas.minds.conversing import ConversingMind, ConversingOptions
from groundlings.personas.minds.conversing_language import ConversingLanguageMind, WordedOptions, read_spoken
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("quick_report")
WORLD = {
    "name": "talks", "seed": 5, "simulation": {"days": 1}, "population": {"size": 8},
    "dataset": {"name": "toy", "toy": {"n_users": 24, "n_items": 60, "interactions_per_user": 10}},
    "environment": {"kind": "conversation", "turns": 6},
    "mind": "conversing",
    "arms": [
        {"name": "popularity", "recommender": "popular"},
        {"name": "asking", "recommender": "chat", "options": {"system": "asking", "suggestions": 3}},
    ],
}  # fmt: skip
SAMPLING = Sampling(temperature=0.0, max_tokens=90)
ACTS = ["accept", "refuse", "asks", "abstains", "recommends", "worth", "suitable_items"]


def hesitates(_request) -> str:
    """A model that never says what it was told to say."""
    return json.dumps({"say": "Well, let me think."})


class TestConversingLanguageMind(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, toy_population, toy_taste):
        self.make_mind = lambda: ConversingLanguageMind(
            toy_population, toy_taste, WordedOptions(), ScriptedModel(hesitates), SAMPLING
        )


@pytest.fixture
def talked(tmp_path, quick_report):
    """What happened in a run whose users speak in a model's words, if there is one: events, sessions and calls."""

    def run(model: ScriptedModel | None = None, dataset=None, **options):
        def mind(context):
            if model is None:
                return ConversingMind(context.population, context.taste, ConversingOptions())
            worded = WordedOptions(**options)
            return ConversingLanguageMind(context.population, context.taste, worded, model, SAMPLING)

        supplied = Supplied(dataset=dataset, mind=mind)
        directory = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        run_experiment(ExperimentConfig.model_validate(WORLD), directory, supplied=supplied)
        with LogReader(directory) as log:
            return log.events(), log.sessions(), log.calls()

    return run


WILD_WORDS = (
    'I want something where "no such field" is at most 3 and "genres" is at most 5 and "genres" includes 7.',
    'I have no wish about "\\q".',
    'I want something where "year" is at most [[[[.',
)
"""Sentences in the form of a requirement that say nothing of this catalogue."""


def test_words_in_the_form_of_a_requirement_that_say_nothing_of_the_catalogue_are_other_words(talked):
    one_after_the_other = cycle(WILD_WORDS)
    model = ScriptedModel(lambda _request: json.dumps({"say": next(one_after_the_other)}))
    events, *_ = talked(model, states=False)
    assert set(events[events.kind == "say"].detail) == {*WILD_WORDS}
    assert len(events[events.kind == "refuse"]) > 0


def some(events, *kinds: str):
    return events[events.kind.isin(kinds)][["kind", "session_id", "value"]].reset_index(drop=True)


def test_a_model_chooses_the_words_and_not_the_acts(talked):
    by_rule, *_ = talked()
    model = ScriptedModel(hesitates)
    worded, sessions, calls = talked(model)
    assert some(worded, *ACTS).equals(some(by_rule, *ACTS))
    said = worded[worded.kind == "say"].detail.reset_index(drop=True)
    rule = by_rule[by_rule.kind == "say"].detail.reset_index(drop=True)
    assert (said == "Well, let me think. " + rule).all()
    assert len(calls) == len(said) == len(model.requests), "one call a turn"
    assert (worded[worded.kind == "titles_not_shown"].value == 0).all()
    assert set(sessions.ended_by) <= {"exit", "last_page"}


def test_a_model_is_told_no_title_that_nobody_named_at_a_grocer_s(talked, repeat_shop):
    chance = np.random.default_rng(0)
    catalog = repeat_shop.catalog
    words = replace(catalog.words, many="products")
    prices = chance.uniform(1, 9, len(catalog))
    shop = replace(repeat_shop, catalog=replace(catalog, features={"price": prices}, words=words))
    model = ScriptedModel(hesitates)
    events, *_ = talked(model, shop)
    titles, named = TitlesNamed(catalog.titles), 0
    for request in model.requests:
        told = "\n".join(message.content for message in request.messages)
        by_system = [line for line in told.splitlines() if line.startswith("System: ")]
        named += len(by_system)
        assert titles.named(told) == titles.named("\n".join(by_system))
        assert "products" in told
        assert "film" not in told
    assert named > 10
    assert '"price"' in "".join(events[events.kind == "say"].detail)


def test_recommenders_may_hear_the_model_s_words_alone_and_titles_in_them_are_counted(talked, toy_population):
    said = f"Like {toy_population.catalog.titles[3]}."
    events, *_ = talked(ScriptedModel(lambda _: json.dumps({"say": said})), states=False)
    assert set(events[events.kind == "say"].detail) == {said}
    assert events[events.kind == "titles_not_shown"].value.max() == 1


def test_a_reply_that_cannot_be_read_is_asked_for_again_and_then_ends_the_conversation(talked):
    events, sessions, calls = talked(ScriptedModel(lambda _: "Hello?"), reasks=2)
    assert set(sessions.ended_by) == {"unreadable"}
    assert calls.status.tolist() == ["reasked", "reasked", "unreadable"] * len(sessions)
    assert not len(events[events.kind == "say"])


@pytest.mark.parametrize(
    "reply", ["Hello", "{}", '{"say": ""}', '{"say": " "}', '{"say": 3}', '{"say": "a", "do": 1}', '{"say": "a\\nb"}']
)
def test_what_says_nothing_is_refused(reply):
    with pytest.raises(UnreadableReply):
        read_spoken(reply)
    assert read_spoken('{"say": " Hello. "}') == "Hello."


def test_an_experiment_file_names_the_mind(tmp_path, quick_report):
    mind = {"kind": "conversing_language", "style": "terse", "model": {"provider": "scripted"}}
    config = ExperimentConfig.model_validate({**WORLD, "mind": mind})
    with LogReader(run_experiment(config, tmp_path / "run").directory) as log:
        calls, said = log.calls(), log.events().query("kind == 'say'")
    assert set(calls.template) == {"talk-1"}
    assert len(calls) == len(said) > 0

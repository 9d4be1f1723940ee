"""The recommender `rah` keeps the contract; its assistant learns, acts and is criticised, and leaves out dislikes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from importlib.resources import files

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.environments.interactions import Interactions
from groundlings.experiments.analysis.metrics.model_lists import read_model_lists
from groundlings.experiments.analysis.metrics.withheld import withheld_outcomes
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.recommenders.contract import TOY_SIZE, RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.judged import judged_by
from groundlings.recommenders.language.rah import Rah
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.learning import Lessons, learn
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader

SAMPLING = Sampling(0.0, 16)
HASHES = {"rah-1": "1f9d308230772750c4564ba9444e42a75b49a5b7c8a90dad6fa64083ba2b7634"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""


def assistant(request):
    """Learns "nothing" at first and the truth once criticised, and dislikes every candidate with an odd number."""
    told, keys = request.messages[-1].content, list(request.reply_schema["properties"])
    if keys == ["disliked"]:
        return json.dumps({"disliked": [name for name in candidates_shown(told) if int(number(name)) % 2]})
    if keys == ["for", "against", "action"]:
        return json.dumps({"for": "f", "against": "a", "action": "dislike" if "Dislikes: odd" in told else "like"})
    if keys == ["prefer", "disprefer"]:
        criticised = "An earlier attempt" in told or "What it has just learnt" in told
        return json.dumps({"prefer": ["even"], "disprefer": ["odd"] if criticised else []})
    return json.dumps({key: f"some {key}" for key in keys})


def number(name):
    return re.findall(r"\d+", name)[0]


def made(rule=assistant, **options):
    one = Rah(PopularRecommender(), ScriptedModel(rule), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def taught(one, **options):
    calls = []
    asyncio.run(learn(one, Lessons(3, keep=calls.append, **options)))
    return calls


def sections(calls):
    return ["+".join(call.request.reply_schema["properties"]) for call in calls]


class TestRah(RecommenderContract):
    def build(self):
        return Rah(PopularRecommender(), ScriptedModel(assistant), SAMPLING)


def test_a_wrong_prediction_is_criticised_and_learnt_from_again_at_most_so_often():
    one = made(interactions=2, learners=1)
    calls = taught(one, served=np.array([4]))
    # One like, predicted rightly; then a drawn item, disliked: wrong, criticised, right; then both are merged.
    lists, act = "prefer+disprefer", "for+against+action"
    assert sections(calls) == [
        "description", lists, act, "description", lists, act, "reasons+suggestions", lists, act, lists,
    ]  # fmt: skip
    assert one.tastes()[4].told() == "Likes: even\nDislikes: odd"
    stubborn = made(lambda request: assistant(request).replace('"dislike"', '"like"'), interactions=2, rounds=2)
    assert sections(taught(stubborn, served=np.array([4]))).count("reasons+suggestions") == 2


def test_an_item_is_perceived_once_for_all_users():
    calls = taught(made(interactions=4))
    perceived = [call.request.messages[-1].content for call in calls if "description" in sections([call])]
    assert len(perceived) == len(set(perceived)) <= TOY_SIZE


def test_what_is_predicted_to_be_disliked_gives_way_to_further_items_and_never_shortens_a_list():
    one = made()
    taught(one)
    for user in (0, 1):
        request = toy_request(checkerboard(), np.array([user]), 5)
        ranking = asyncio.run(one.rank(request))
        ranking.check(request, TOY_SIZE)
        of = asyncio.run(one.of.rank(toy_request(checkerboard(), np.array([user]), TOY_SIZE))).items[0]
        of = of[of >= 0]
        assert ranking.items[0].tolist() == [*of[of % 2 == 0], *of[of % 2 == 1]][:5]
        assert [(call.row, call.status) for call in ranking.calls] == [(0, "ok")]
        assert len(candidates_shown(ranking.calls[0].request.messages[-1].content)) == min(20, len(of))


def test_users_without_an_assistant_get_the_list_of_the_inner_recommender_without_a_question():
    one = made(learners=0)
    assert taught(one) == []
    request = toy_request(checkerboard(), np.arange(3), 5)
    ranking = asyncio.run(one.rank(request))
    np.testing.assert_array_equal(ranking.items, asyncio.run(one.of.rank(request)).items)
    assert ranking.calls == ()


def test_a_reply_that_cannot_be_read_stops_the_run_or_leaves_the_list_as_it_is():
    def mute(request):
        return "no" if "disliked" in request.reply_schema["properties"] else assistant(request)

    request = toy_request(checkerboard(), np.array([0]), 5)
    strict, mild = made(mute), made(mute, fallback="of")
    for one in (strict, mild):
        taught(one)
    with pytest.raises(ProviderError, match="fallback: of"):
        asyncio.run(strict.rank(request))
    ranking = asyncio.run(mild.rank(request))
    np.testing.assert_array_equal(ranking.items, asyncio.run(mild.of.rank(request)).items)
    assert [call.status for call in ranking.calls] == ["unreadable"]


def test_low_ratings_are_dislikes_and_only_a_user_without_any_is_given_drawn_ones():
    users, items, stars = np.repeat([0, 1], 4), np.tile(np.arange(4), 2), np.array([5, 1, 4, 2, 5, 5, 5, 5.0])
    rows = Interactions.of(users, items, stars, np.arange(8), n_users=2, n_items=9)
    wider = rows.joined(
        Interactions.of(np.array([0]), np.array([7]), np.array([4.0]), np.array([9]), n_users=2, n_items=9)
    )
    found = judged_by(rows, wider, np.arange(2), most=4, like_from=4.0, root=1)
    assert [(each.item, each.liked, each.drawn) for each in found[0]] == [
        (0, True, False), (1, False, False), (2, True, False), (3, False, False),
    ]  # fmt: skip
    assert [(each.item, each.liked, each.drawn) for each in found[1]] == [
        (2, True, False), (7, False, True), (3, True, False),
    ]  # fmt: skip


def test_a_recommender_that_draws_lots_is_refused():
    with pytest.raises(ConfigError, match="RandomOrderRecommender draws lots"):
        Rah(RandomOrderRecommender(), ScriptedModel(assistant), SAMPLING)


def test_a_prompt_that_changes_has_a_new_version():
    text = files("groundlings.recommenders.language").joinpath("rah.md").read_bytes()
    assert HASHES == {f"rah-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


@pytest.mark.usefixtures("quick_report")
def test_a_run_with_assistants_at_one_call_at_a_time_ends_with_the_same_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", assistant)
    config = ExperimentConfig.model_validate(
        {
            "name": "assistants",
            "seed": 5,
            "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
            "simulation": {"days": 2},
            "site": {"page_size": 4, "max_pages": 2, "rank_each": "page"},
            "mind": "behavioural",
            "arms": [
                {"name": "popular", "recommender": "popular"},
                {
                    "name": "assisted",
                    "recommender": "rah",
                    "options": {"of": {"recommender": "popular"}, "candidates": 8, "interactions": 2},
                    "model": {"provider": "scripted", "concurrency": 1},
                },
            ],
            "base": tmp_path,
        }
    )
    first, again = run_experiment(config, tmp_path / "a"), run_experiment(config, tmp_path / "b")
    assert first.digest == again.digest
    with LogReader(first.directory) as log:
        assert len(log.calls()) > 0 < int(log.query("SELECT count(*) AS n FROM lessons").n[0])
        found = withheld_outcomes(log, arm="assisted", beside="popular")
        assert found.lists == len(log.calls())
        assert found.withheld == found.liked + found.clicked + found.passed + found.not_known > found.not_known
        shown = log.query(
            "SELECT DISTINCT agent_id, title FROM impressions JOIN sessions USING (session_id) "
            "JOIN arms USING (arm_id) JOIN items USING (item_id) WHERE name = 'popular' AND NOT clicked"
        )
        assert 0 < found.passed <= len(shown)
        (named,) = read_model_lists(log, config.model_dump(mode="json")).values()
        assert named.questions == len(log.calls())
        assert named.exact == named.candidates >= found.withheld
        assert (named.missing, named.unreadable) == (0, 0)
        with pytest.raises(ConfigError, match="an arm 'missing'"):
            withheld_outcomes(log, arm="assisted", beside="missing")

"""The recommender `presenter` keeps the contract and the list, says what the catalogue says, and is logged."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import Sampling
from groundlings.environments.environment import Served
from groundlings.environments.errors import BudgetExhausted, ConfigError, RunDirectoryError
from groundlings.environments.notes import Notes
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.blend import BlendRecommender
from groundlings.recommenders.contract import COLD_USER, RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.facts import ItemFacts
from groundlings.recommenders.interleaving import TeamDraftRecommender
from groundlings.recommenders.language.presenter import Presenter
from groundlings.recommenders.learning import Lessons
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.registry import check_presenting
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader
from tests.repeat_shop import repeat_shop

SAMPLING = Sampling(0.0, 16)
HASHES = {"presenter-1": "b56d080555fd05a540bb6024dc44a08adf1a3d1ded6a946857d8f97931319a33"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""
WORDS = st.sampled_from(["Comedy", "Drama", "Bread", "Tea", "Film Noir", "Café", "1994", "12 oz"])


def naming(*keywords):
    return lambda _: json.dumps({"keywords": list(keywords)})


def made(catalog=None, interactions=None, model=None, **options):
    asks = {} if model is None else {"model": model, "sampling": SAMPLING, "keywords": "model"}
    one = Presenter(PopularRecommender(), **asks, **options)
    one.fit(checkerboard() if interactions is None else interactions, catalog or toy_catalog())
    if model is not None:
        asyncio.run(one.learn_by_asking(Lessons(root=7)))
    return one


def ask(one, users=(0, 1), interactions=None):
    return asyncio.run(one.rank(toy_request(interactions or checkerboard(), np.array(users), 5)))


class TestPresenter(RecommenderContract):
    def build(self):
        return Presenter(PopularRecommender())


class TestPresenterThatAsks(RecommenderContract):
    def build(self):
        return Presenter(PopularRecommender(), ScriptedModel(naming("Even")), SAMPLING, keywords="model")


@st.composite
def catalogs(draw):
    """Any 20 items, for the interactions of the checkerboard."""
    genres = draw(st.lists(st.lists(WORDS, max_size=3, unique=True), min_size=20, max_size=20))
    years = draw(st.lists(st.sampled_from([np.nan, 1994.0, 1995.0, 2001.0]), min_size=20, max_size=20))
    texts = draw(st.lists(st.sampled_from([None, "", "a quiet heist", "heist at sea"]), min_size=20, max_size=20))
    brands = draw(st.lists(st.sampled_from([None, "Acme", "69"]), min_size=20, max_size=20))
    ids = tuple(f"i{item}" for item in range(20))
    features = {"brand": np.array(brands, dtype=np.object_), "cost": np.full(20, 3.5)}
    return Catalog(
        ids, tuple(f"Thing {each}" for each in ids), np.array(years), tuple(map(tuple, genres)), tuple(texts), features
    )


@settings(max_examples=15, deadline=None)
@given(catalogs(), st.integers(1, 3), st.sampled_from(["self", "another user"]))
def test_every_word_shown_is_a_fact_of_that_item_and_the_list_is_the_inner_one(catalog, most, whose):
    one = made(catalog, facts=most, keywords_of=whose)
    ranking, inner = (
        ask(one, (0, 1, COLD_USER)),
        one.of.recommend(toy_request(checkerboard(), np.array([0, 1, COLD_USER]), 5)),
    )
    for name in ("items", "scores", "propensities", "explored"):
        np.testing.assert_array_equal(getattr(ranking, name), getattr(inner, name))
    for row, slot in zip(*np.nonzero(ranking.items != NO_ITEM), strict=True):
        item, shown = ranking.items[row, slot], ranking.notes.shown[row, slot]
        if shown is None:
            continue
        year = catalog.years[item]
        own = {*catalog.genres[item], *(catalog.texts[item] or "").split()}
        own |= set() if np.isnan(year) else {str(int(year))}
        own |= {"Acme": {"Acme"}, "69": {"brand 69"}, None: set()}[catalog.features["brand"][item]]
        said = shown.split(", ")
        assert set(said) <= own
        assert 1 <= len(said) <= most
        assert 0 <= ranking.notes.fitting[row, slot] <= len(said)
        assert all(each in ranking.notes.originals[row, slot] for each in said)


def test_keywords_are_frequent_in_the_history_and_rare_elsewhere_and_choose_the_facts():
    catalog = Catalog(
        ("a", "b", "c", "d"), ("A", "B", "C", "D"), np.array([1994.0, 1999.0, np.nan, 1994.0]),
        (("Tea", "All"), ("Tea", "All"), ("Soap", "All"), ("Soap", "Tea", "All")),
    )  # fmt: skip
    facts = ItemFacts(catalog)
    found = {facts.names[number]: weight for number, weight in facts.keywords(np.array([0, 2]), 10).items()}
    # Tea is in 1 of 2 items of the history and in 3 of 4 of all, and what all have tells nothing.
    expected = {"Soap": np.log(4 / 2) / 2, "Tea": np.log(4 / 3) / 2, "1990s": np.log(4 / 3) / 2}
    assert found == pytest.approx(expected)
    assert next(iter(found)) == "Soap"
    one = Presenter(PopularRecommender(), facts=2)
    one._facts = facts
    assert one.line(3, facts.keywords(np.array([0, 2]), 10)) == ("Soap, Tea", 2)
    assert one.line(3, facts.keywords(np.array([2]), 10)) == ("Soap, Tea", 1)
    assert one.line(3, {}) is None


def test_the_placebo_differs_in_whose_keywords_choose_and_in_nothing_else():
    shop = repeat_shop()
    brands = np.array([("Acme", "Best")[item % 2] for item in range(len(shop.catalog))], dtype=np.object_)
    catalog, users = replace(shop.catalog, features={"brand": brands}), tuple(range(20))
    own, other = (made(catalog, shop.interactions, keywords_of=whose, facts=1) for whose in ("self", "another user"))
    request = toy_request(shop.interactions, np.array(users), 5)
    whose = other._whose(request)
    assert all(donor is not None and donor != user for user, donor in zip(users, whose, strict=True))
    assert len(set(whose)) > 10
    assert other._whose(toy_request(shop.interactions, np.array([3]), 5, day=2)) == [whose[3]]
    mine, theirs = (asyncio.run(one.rank(request)).notes for one in (own, other))
    assert [len(line.split(", ")) for line in mine.shown.ravel()] == [
        len(line.split(", ")) for line in theirs.shown.ravel()
    ]
    assert (mine.shown != theirs.shown).any()


def test_users_without_keywords_are_shown_the_catalogues_words_in_both():
    for whose in ("self", "another user"):
        notes = ask(made(keywords_of=whose), (0, COLD_USER)).notes
        assert [line is None for line in notes.shown[1]] == [True] * 5
        assert set(notes.fitting[1]) == {-1}
        assert notes.originals[1].tolist().count(None) == 0
    nobody_else = made(
        interactions=checkerboard().take(np.flatnonzero(checkerboard().users == 0)), keywords_of="another user"
    )
    assert {*ask(nobody_else, (0,)).notes.shown.ravel()} == {None}


def test_a_model_is_asked_once_per_user_and_fit_and_what_it_makes_up_is_no_keyword():
    model = ScriptedModel(naming("Odd", "Musical", "odd"))
    one = made(model=model)
    assert len(model.requests) == COLD_USER  # the last user has no history
    assert one.calls_to_learn(COLD_USER) == {"presenter-1": COLD_USER}
    assert not one.calls_per_list()
    assert not made().calls_to_learn(COLD_USER)
    assert "Item 2: Even" in model.requests[0].messages[-1].content
    assert [one._facts.names[number] for number in one.keywords(1)] == ["Odd"]
    assert not one.keywords(0)  # the history of an even user has no odd item
    one.observe(checkerboard(1).take(np.arange(5)))
    asyncio.run(one.learn_by_asking(Lessons(root=7)))
    assert len(model.requests) == COLD_USER


@pytest.mark.parametrize("reply", ["no JSON", '{"keywords": "Even"}', '{"keywords": [1]}', '{"keywords": []}'])
def test_a_reply_that_names_nothing_falls_back_only_where_told(reply):
    assert not made(model=ScriptedModel(lambda _: reply)).keywords(0)
    told = made(model=ScriptedModel(lambda _: reply), fallback="history")
    assert dict(told.keywords(0)) == dict(made().keywords(0)) != {}


def test_it_may_be_nowhere_but_outermost_and_needs_a_model_to_ask():
    with pytest.raises(ConfigError, match="Presenter inside of BlendRecommender"):
        check_presenting(BlendRecommender((Presenter(PopularRecommender()), PopularRecommender())), "arms[0]")
    with pytest.raises(ConfigError, match="interleaving: found Presenter"):
        TeamDraftRecommender(PopularRecommender(), Presenter(PopularRecommender()))
    with pytest.raises(ConfigError, match="names no language model"):
        Presenter(PopularRecommender(), keywords="model")


def test_a_prompt_has_its_version_and_unsound_notes_are_refused():
    text = files("groundlings.recommenders.language").joinpath("presenter.md").read_bytes()
    assert HASHES == {f"presenter-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}
    notes = Notes.empty((1, 2))
    notes.shown[0, 0] = "Comedy"
    with pytest.raises(ValueError, match="fitting must be -1"):
        notes.check((1, 2))
    with pytest.raises(ValueError, match="another shape"):
        notes.check((2, 2))


def experiment(base, mind, *, arms, budget=1000, site=None, users=4, store="sqlite"):
    model = {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}}
    return ExperimentConfig.model_validate(
        {
            "name": "presented", "seed": 5, "base": base, "simulation": {"days": 1, "visit_probability": 1.0},
            "dataset": {"name": "toy", "toy": {"n_users": users, "n_items": 30, "interactions_per_user": 8}},
            "log": {"store": store},
            "site": site or {"page_size": 3, "max_pages": 2},
            "mind": {"kind": "language", "model": {"provider": "scripted"}} if mind == "language" else mind,
            "arms": [
                {"name": "plain", "recommender": "popular"},
                *(
                    {
                        "name": name, "recommender": "presenter",
                        "options": {"of": {"recommender": "popular"}, **options},
                        **({"model": model, "max_unreadable": 1} if options.get("keywords") == "model" else {}),
                    }
                    for name, options in arms.items()
                ),
            ],
        }
    )  # fmt: skip


def test_a_run_shows_logs_and_counts_the_lines_and_a_language_mind_reads_them(tmp_path, quick_report):
    done = run_experiment(experiment(tmp_path, "language", arms={"personal": {"facts": 1}}), tmp_path / "run")
    with LogReader(done.directory) as log:
        said, calls = log.presentations(), log.calls(arm="personal")
        plain = log.calls(arm="plain")
        agent = log.agent_of(said.user_id[0])
        (session,) = log.sessions_of_agent(agent["agent_id"], "personal")
        told = log.session(session["session_id"])
    assert set(said.arm) == {"personal"}
    first = said.iloc[0]
    assert f"1. {first.title}: {first.shown}\n" in calls.messages[0].replace("\\n", "\n")
    assert f"{first.title} (" in plain.messages[0]
    assert [row["shown"] for row in told.presentations] == said[said.session_id == session["session_id"]].shown.tolist()
    arms = json.loads((done.directory / "summary.json").read_text())["arms"]
    assert "presented" not in arms[0]
    counts = arms[1]["presented"]
    assert counts["slots"] == len(said) == arms[1]["counts"]["impressions"]
    assert counts["presented"] == said.shown.notna().sum() > 0
    assert counts["fitting"] == (said.fitting > 0).sum()


def test_other_runs_have_no_such_table_and_a_changed_line_is_seen(tmp_path, small_log, quick_report):
    assert not small_log.columns_of("presentations")
    assert small_log.presentations().empty
    done = run_experiment(experiment(tmp_path, "behavioural", arms={"personal": {}}), tmp_path / "run")
    with LogReader(done.directory) as log:
        assert log.digest() == done.digest
        assert not log.check_seals().faults
    with sqlite3.connect(done.directory / "log.db") as connection:
        connection.execute("UPDATE presentations SET shown = 'Musical' WHERE rank = 0")
    with LogReader(done.directory) as log:
        assert log.digest() != done.digest
        assert log.check_seals().faults


@pytest.mark.parametrize("table", ["lessons", "presentations"])
def test_a_table_that_is_gone_is_not_one_that_never_was(tmp_path, monkeypatch, quick_report, table):
    monkeypatch.setattr(scripted, "legal_reply", naming("genre 1", "genre 2", "Musical"))
    arms = {"personal": {"keywords": "model"}}
    done = run_experiment(experiment(tmp_path, "behavioural", arms=arms), tmp_path / "run")
    with sqlite3.connect(done.directory / "log.db") as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    with LogReader(done.directory) as log:
        session = log.sessions_of_agent(log.agent_ids()[0])[0]["session_id"]
        doors = {
            "lessons": (log.lessons_by_arm, log.lost_lessons, log.questions_to_learn, log.call_totals, log.digest),
            "presentations": (log.presentations, log.presented_by_arm, lambda: log.session(session), log.digest),
        }
        for door in doors[table]:
            with pytest.raises(RunDirectoryError, match=f"no such table: {table}"):
                door()


def test_in_rows_and_in_parquet_each_line_belongs_to_its_item(tmp_path, quick_report):
    rows = [{"name": "For you", "visible": 3}, {"name": "Genre", "visible": 2, "filter": {"category": "genre 2"}}]
    site = {"max_pages": 1, "layout": {"kind": "rows", "rows": rows}}
    done = run_experiment(
        experiment(tmp_path, "behavioural", arms={"personal": {}}, site=site, store="parquet"), tmp_path / "run"
    )
    with LogReader(done.directory) as log:
        said, items = log.presentations(), log.items().set_index("item_id")
    for line in said.dropna(subset="shown").itertuples():
        about = items.loc[line.item_id]
        assert set(line.shown.split(", ")) <= {*about.genres, str(about.year)}


def test_an_interrupted_run_learns_no_keyword_twice_and_ends_with_the_same_digest(tmp_path, monkeypatch, quick_report):
    monkeypatch.setattr(scripted, "legal_reply", naming("genre 1", "genre 2", "Musical"))

    def config(budget):
        return experiment(tmp_path, "behavioural", arms={"personal": {"keywords": "model"}}, budget=budget, users=6)

    done = run_experiment(config(1000), tmp_path / "whole")
    counts = json.loads((done.directory / "summary.json").read_text())["arms"][1]["presented"]
    assert counts["questions"] == 6
    assert counts["keywords"] == 18
    assert counts["hallucinated"] >= 6
    with pytest.raises(BudgetExhausted):
        run_experiment(config(4), tmp_path / "run")
    kept = tmp_path / "run" / "config.yaml"
    kept.write_text(kept.read_text().replace("calls: 4\n", "calls: 1000\n"))
    assert resume_experiment(tmp_path / "run").digest == done.digest


def test_an_environment_that_loses_notes_is_stopped(tmp_path, monkeypatch, quick_report):
    whole = Served.part_of.__func__

    def losing(cls, *args):
        found = whole(cls, *args)
        return Served(found.scores, found.propensities, found.explored, found.teams, found.propensity_kind)

    monkeypatch.setattr(Served, "part_of", classmethod(losing))
    with pytest.raises(ConfigError, match="PaginatedFeed: found a page without the notes of its list"):
        run_experiment(experiment(tmp_path, "behavioural", arms={"personal": {}}), tmp_path / "run")

"""A configuration becomes a plan in one call: everything is built once, and from the right place."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError
from groundlings.experiments.cli.main import app
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running import click_level
from groundlings.experiments.running.calibration import CalibrationGround
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.plan import build_plan, prepare
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.running.supplied import Supplied
from groundlings.personas.minds.behavioural import BehaviouralMind
from groundlings.personas.minds.language.mind import LanguageMind
from groundlings.personas.minds.scripted import ScriptedMind
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.popular import PopularRecommender

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 30, "n_items": 40, "interactions_per_user": 12}},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": "behavioural",
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}
SCRIPTED = {"kind": "language", "model": {"provider": "scripted"}}

OWN = '''
from groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions
from pydantic import BaseModel
from groundlings.recommenders.popular import PopularRecommender


class Impatient(ScriptedMind):
    """Opens the first few and leaves."""

    def __init__(self, population, clicks: int = 1):
        super().__init__(ScriptedOptions(click=tuple(range(clicks)), pages=1))
        self.people = len(population)

    def describe(self):
        return {"kind": "impatient", "people": self.people}


class Told(ScriptedMind):
    class Options(BaseModel):
        clicks: int = 1

    def __init__(self, options, taste):
        super().__init__(ScriptedOptions(click=tuple(range(options.clicks))))
        self.n_items = taste.n_items


class Talker(ScriptedMind):
    def __init__(self, model, sampling):
        super().__init__()
        self.model, self.temperature = model, sampling.temperature


class Asking(PopularRecommender):
    closed = []

    def __init__(self, model, sampling):
        super().__init__()
        self.model, self.sampling = model, sampling


class NoMind:
    cohort_size = 1
'''


def configured(**sections) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **sections})


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's in the current directory."""
    (tmp_path / "own_minds.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_minds", None)


def prepared(config, **options):
    """A plan, looked at after its models are closed."""

    async def made():
        async with AsyncExitStack() as stack:
            return await prepare(config, stack, **options)

    return asyncio.run(made())


@pytest.fixture
def built(monkeypatch):
    """Counts what is constructed, by class."""
    counts = {}
    for kind in (PopularRecommender, ItemKnnRecommender, BehaviouralMind, LanguageMind):
        first = kind.__init__

        def counted(self, *arguments, _first=first, _kind=kind, **named):
            counts[_kind] = counts.get(_kind, 0) + 1
            _first(self, *arguments, **named)

        counted.__wrapped__ = first  # signatures and types stay readable
        monkeypatch.setattr(kind, "__init__", counted)
    return counts


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda *_: None)


@pytest.mark.parametrize("design", ["parallel", "split", "interleaving"])
def test_a_run_builds_each_recommender_once_and_a_mind_for_each_arm(built, tmp_path, design):
    run_experiment(configured(design=design, held_out=False), tmp_path / "run")  # other audiences are minds, too
    assert built == {PopularRecommender: 1, ItemKnnRecommender: 1, BehaviouralMind: 2}


def test_minds_that_ask_a_model_are_built_once_an_arm_as_well(built, tmp_path):
    run_experiment(configured(mind=SCRIPTED, population={"size": 3}, held_out=False), tmp_path / "run")
    assert built == {PopularRecommender: 1, ItemKnnRecommender: 1, LanguageMind: 2}


def test_a_plan_to_look_at_asks_nobody_and_knows_the_arms():
    plan = build_plan(configured(mind={"kind": "language", "model": {"provider": "embedded"}}))
    assert plan.stages == []
    assert [arm.name for arm in plan.arms] == ["popular", "knn"]


def test_minds_of_all_arms_share_one_taste():
    first, second = (stage[0].mind for stage in build_plan(configured()).stages)
    assert first is not second
    assert first._taste is second._taste


def test_a_mind_of_your_own_decides(own, tmp_path):
    config = configured(mind={"kind": "own_minds:Impatient", "clicks": 2})
    outcome = run_experiment(config, tmp_path / "run")
    assert outcome.summary.run["mind"] == {"kind": "impatient", "people": 30}
    assert outcome.summary.arms[0].metrics["view_ratio"].mean == pytest.approx(2 / 3)
    kept = load_config(tmp_path / "run" / "config.yaml")
    assert config_hash(kept) == config_hash(config)


def test_options_of_your_own_can_be_a_pydantic_model_and_the_context_fills_the_rest(own):
    config = configured(mind={"kind": "own_minds:Told", "clicks": 2})
    (first, _) = (stage[0].mind for stage in build_plan(config).stages)
    assert first.n_items == 40
    assert first._options.click == (0, 1)


def test_a_mind_of_your_own_may_ask_a_model(own):
    model = {"provider": "scripted", "temperature": 0.25}
    plan = prepared(configured(mind={"kind": "own_minds:Talker", "model": model}))
    (first, second) = (stage[0].mind for stage in plan.stages)
    assert first.model is second.model
    assert first.temperature == 0.25
    assert not build_plan(configured(mind={"kind": "own_minds:Talker", "model": model})).stages


def test_a_plugin_offers_its_mind_by_a_short_name(own, tmp_path, monkeypatch):
    info = tmp_path / "minds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: minds\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[groundlings.minds]\nimpatient = own_minds:Impatient\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plan = build_plan(configured(mind="impatient"))
    assert plan.described_mind == {"kind": "impatient", "people": 30}


@pytest.mark.parametrize(
    ("mind", "said"),
    [
        ({"kind": "own_minds:Impatiant"}, r"mind.kind: .* has no 'Impatiant' \(did you mean 'Impatient'\?\)"),
        ({"kind": "own_minds:NoMind"}, "mind.kind: own_minds:NoMind is not a mind: it lacks actions, decide, describe"),
        ({"kind": "nowhere:Mind"}, "mind.kind: nowhere:Mind cannot be imported"),
        ({"kind": "own_minds:Impatient", "click": 2}, r"mind.click: .* no such option \(did you mean 'clicks'\?\)"),
        ({"kind": "own_minds:Impatient", "clicks": "2"}, "mind.clicks: found '2'; expected a whole number"),
        ({"kind": "own_minds:Impatient", "population": 2}, "mind.population: .* no such option"),
        ({"kind": "own_minds:Told", "click": 2}, r"mind.click: .* no such option \(did you mean 'clicks'\?\)"),
        ({"kind": "own_minds:Told", "clicks": "x"}, "mind.clicks: found 'x'; expected a whole number"),
        ({"kind": "own_minds:Talker"}, "mind: own_minds:Talker asks a language model, and none is named"),
        ({"kind": "own_minds:Told", "model": {"provider": "scripted"}}, "mind.model: .* asks no language model"),
    ],
)
def test_what_is_wrong_with_a_mind_of_your_own_is_said_where_it_is_written(own, mind, said):
    with pytest.raises(ConfigError, match=said):
        build_plan(configured(mind=mind))


def test_a_mind_that_nobody_offers_is_refused_with_the_near_ones(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "mind": {"kind": "behavioral"}}))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "there is no mind 'behavioral' (did you mean 'behavioural'?)" in str(caught.value)
    assert "small.yaml:" in str(caught.value)


def test_an_arms_own_model_reaches_its_recommender_and_is_closed(own):
    arm = {"name": "asks", "recommender": "own_minds:Asking", "model": {"provider": "scripted", "temperature": 0.5}}
    plan = prepared(configured(arms=[*SMALL["arms"], arm]))
    asking = plan.stages[2][0].recommender
    assert asking.model is plan.models["asks"]
    assert asking.sampling.temperature == 0.5
    assert plan.minds.model is None


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ({"recommender": "popular", "model": {"provider": "scripted"}}, r"arms\[0\].model: popular asks no language"),
        ({"recommender": "own_minds:Asking"}, r"arms\[0\].recommender: own_minds:Asking asks a language model"),
    ],
)
def test_a_model_that_nobody_asks_or_that_is_missing_is_an_error(own, arm, said):
    with pytest.raises(ConfigError, match=said):
        build_plan(configured(arms=[{"name": "only", **arm}]))


def test_an_arms_model_counts_in_the_hash_but_not_how_fast_it_is_asked():
    def hashed(**model):
        arm = {"name": "a", "recommender": "popular"}
        return config_hash(configured(arms=[arm | ({"model": model} if model else {})]))

    plain = hashed(provider="scripted")
    assert hashed() != plain != hashed(provider="scripted", temperature=0.1)
    assert plain == hashed(provider="scripted", concurrency=2, budget={"calls": 7})


def test_supplied_objects_stand_in_for_names():
    other = build_plan(configured(dataset={"name": "toy", "toy": {"n_users": 20, "n_items": 50}})).dataset
    mine = PopularRecommender()
    supplied = Supplied(
        dataset=other,
        recommenders={"popular": mine, "knn": lambda context: ItemKnnRecommender(len(context.user_ids))},
        mind=lambda context: ScriptedMind(),
    )
    (first,), (second,) = build_plan(configured(), supplied=supplied).stages
    assert first.recommender is mine
    assert second.recommender.neighbours == 20
    assert len(first.catalog) == 50
    assert isinstance(first.mind, ScriptedMind)


class Noting:
    """Keeps the notes of a run."""

    def __init__(self):
        self.lines = []

    def event(self, event):
        if isinstance(event, Note):
            self.lines.append(event.line)


class TasteWasEstimated(Exception):
    """What a plan to look at should not come to."""


@pytest.fixture
def no_taste(monkeypatch):
    """Estimating what people like is an error."""

    def refused(*_):
        raise TasteWasEstimated

    monkeypatch.setattr(CalibrationGround, "tastes", refused)


@pytest.mark.parametrize("mind", ["behavioural", {"kind": "calibrated", "terms": ["evidence"]}])
def test_a_plan_to_look_at_estimates_no_taste_until_somebody_asks_for_a_mind(no_taste, mind):
    arms = [*SMALL["arms"], {"name": "bound", "recommender": "oracle"}]
    plan = build_plan(configured(mind=mind, arms=arms if mind == "behavioural" else SMALL["arms"]))
    assert len(plan.arms) == len(plan.config.arms)
    for asked in (lambda: plan.stages, lambda: plan.described_mind, plan.mind):
        with pytest.raises(TasteWasEstimated):
            asked()


def test_what_a_plan_was_looked_at_for_does_not_change_its_arms():
    arms = [*SMALL["arms"], {"name": "bound", "recommender": "oracle"}]
    looked_at, ready = build_plan(configured(arms=arms)), prepared(configured(arms=arms))
    assert looked_at.described_mind == ready.described_mind
    (bound,), users = looked_at.stages[2], looked_at.population.users
    bound.recommender.fit(looked_at.split.train, looked_at.dataset.catalog)
    np.testing.assert_array_equal(bound.recommender.score(users), ready.preference(users))


def test_check_leaves_the_level_of_large_data_to_the_run(no_taste, monkeypatch, tmp_path):
    monkeypatch.setattr(click_level, "MOST_ROWS", 100)
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    result = CliRunner().invoke(app, ["check", str(path)])
    said = " ".join(result.output.split())
    assert "how much agents would open is not looked at here" in said
    assert "this file runs" in said


def test_a_run_on_large_data_says_that_agents_would_open_more_than_people(monkeypatch, tmp_path):
    mind = {"kind": "behavioural", "random_click_rate": 0.5}
    small = configured(mind=mind, held_out=False, arms=SMALL["arms"][:1])

    def notes():
        told = Noting()
        run_experiment(small, tmp_path / f"run{len(list(tmp_path.iterdir()))}", told)
        return [line for line in told.lines if "agents would open" in line]

    assert notes() == []  # `check` says it
    monkeypatch.setattr(click_level, "MOST_ROWS", 100)
    (note,) = notes()
    assert "State how much of random items people open" in note

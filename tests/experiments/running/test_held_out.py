"""A run measures its own arms on what its agents really did, and a comparison hears it: from whole small runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.ranking import NO_ITEM
from groundlings.experiments.analysis.comparison.held_out import read_held_out
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.analysis.report.page import write_report
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.experiment import Experiment, open_run
from groundlings.experiments.running.held_out import later, measuring, sample
from groundlings.experiments.running.replicates import go_on_with
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import LogReader

TOY = {
    "name": "toy", "seed": 3, "mind": "behavioural", "simulation": {"days": 2}, "plan": {"primary": "view_ratio"},
    "dataset": {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 15}},
    "site": {"page_size": 5, "max_pages": 2},
}  # fmt: skip
ARMS = ("popular", "ease", "random_order")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch, quick_report):
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))


def toy(**changes) -> ExperimentConfig:
    arms = [{"name": name, "recommender": name} for name in ARMS]
    return ExperimentConfig.model_validate({**TOY, "arms": arms, **changes})


def run(path: Path, **changes) -> Path:
    return run_experiment(toy(**changes), path).directory


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A finished run, and the cache that it has filled, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GROUNDLINGS_CACHE", str(folder / "cache"))
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        run(folder / "run")
    return folder


@pytest.fixture
def plain(made, tmp_path) -> Path:
    """The directory of a run of one's own, with what it has left in the cache."""
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True) / "run"


def niche_world() -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """People who have had popular items so far, and then two items each that nobody had ever picked."""
    rng = np.random.default_rng(0)
    rows, later_items = [], {}
    for user in range(80):
        known = rng.choice(20, size=8, replace=False)
        new = [20 + user % 40, 20 + (user + 1) % 40]
        later_items[f"u{user}"] = [f"i{item}" for item in new]
        rows += [(f"u{user}", f"i{item}", 1_000 * user + place) for place, item in enumerate([*known, *new])]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]), later_items


@pytest.mark.parametrize(("primary", "stance"), [("view_ratio", "disagrees"), ("satisfaction", "does not correspond")])
def test_an_arm_that_simulated_people_dislike_and_real_ones_want_is_not_supported(tmp_path, primary, stance):
    history, wanted = niche_world()
    niche = [f"i{item}" for item in range(20, 60)]

    def unpicked(user_ids, k):
        return [[*wanted[user], *(item for item in niche if item not in wanted[user])][:k] for user in user_ids]

    experiment = Experiment(
        dataset=history,
        arms={"popular": "popular", "unpicked": unpicked},
        seed=1,
        days=1,
        plan={"primary": primary, "take_out_luck": False},
        site={"page_size": 10, "max_pages": 1},
    )
    found = experiment.run(tmp_path / "run").compare()
    (arm,) = found.findings.arms
    assert arm.headline.effect.high < 0, "simulated people click less"
    (ndcg, _) = arm.real.effects
    assert ndcg.difference.low > 0, "real people met exactly these items"
    assert arm.real.stance == stance
    opposite = [reason for reason in arm.reasons if reason.startswith("held-out behaviour says the opposite: nDCG@10")]
    assert bool(opposite) == (stance == "disagrees")
    assert (found.verdict == "not supported") == (stance == "disagrees")
    assert found.real.metric.tolist() == ["nDCG@10 of new items", "hit rate@10 of new items"]
    assert set(found.real.stance) == {stance}
    said = " ".join(str(found).split())
    assert ("held-out behaviour disagrees" in said) == (stance == "disagrees")
    if stance == "does not correspond":
        assert "held-out behaviour is not about this metric (satisfaction is not about which items" in said


def exposed(tmp_path, opens, **section):
    """The verdict on the arm that real people want, beside a log of items shown to all of them at random."""
    history, wanted = niche_world()
    rng = np.random.default_rng(4)
    rows = [(user, f"i{item}", int(rng.random() < opens(item))) for user in wanted for item in rng.permutation(60)[:24]]
    pd.DataFrame(rows, columns=["user", "item", "opened"]).to_csv(tmp_path / "shown.csv", index=False)
    path = str(tmp_path / "shown.csv")
    experiment = Experiment(
        dataset=history,
        arms={"popular": "popular", "unpicked": lambda users, k: [
            [*wanted[user], *(f"i{item}" for item in range(20, 60) if f"i{item}" not in wanted[user])][:k]
            for user in users
        ]},
        seed=1,
        days=1,
        plan={"primary": "view_ratio"},
        site={"page_size": 10, "max_pages": 1},
        exposures={"path": path, "opened": "opened", "hold_out": False, "policy": "random", **section},
    )  # fmt: skip
    return experiment.run(tmp_path / "run").compare()


def test_items_shown_at_random_decide_before_what_people_chose(tmp_path):
    found = exposed(tmp_path, lambda item: 0.5 if item < 20 else 0.05)
    (arm,) = found.findings.arms
    random, ndcg, _ = arm.real.effects
    assert (random.source, ndcg.source) == ("random exposures", "held-out behaviour")
    assert random.difference.high < 0 < ndcg.difference.low
    assert (arm.real.stance, arm.real.decided_by) == ("agrees", random)
    assert random.value.mean == pytest.approx(0.05, abs=0.04)
    assert "random exposures agrees" not in str(found)


def test_random_exposures_that_cannot_tell_leave_it_to_held_out_behaviour(tmp_path):
    (arm,) = exposed(tmp_path, lambda _: 0.2).findings.arms
    assert (arm.real.stance, arm.real.decided_by.source) == ("disagrees", "held-out behaviour")


def test_a_logged_policy_without_propensities_is_no_evidence_and_a_missing_log_is_said(tmp_path):
    (arm,) = exposed(tmp_path, lambda item: 0.5 if item < 20 else 0.05, policy="logged").findings.arms
    assert {each.source for each in arm.real.effects} == {"held-out behaviour"}
    shutil.rmtree(tmp_path / "run")
    found = exposed(tmp_path, lambda _: 0.2, opened="no_such_column")
    assert "could not be read" in found.findings.held_out.no_exposures
    assert "could not be read" in " ".join(str(found).split())


def test_an_arm_is_scored_by_the_new_items_of_its_agents_as_it_ranks_on_the_first_day(plain):
    directory = plain
    found = read_held_out(directory)
    assert (found.baseline, found.population, found.missing) == ("popular", 60, "")
    experiment = Experiment(**{**TOY, "arms": dict.fromkeys(["popular"], "popular")})
    train, split = experiment._split.train, experiment._split
    counts = train.item_counts.astype(float)
    values = []
    for user in range(train.n_users):
        scores = np.where(train.matrix[[user]].toarray()[0] > 0, -np.inf, counts)
        order = np.argsort(-scores, kind="stable")[:10].astype(np.int32)
        order = np.where(np.isneginf(scores[order]), NO_ITEM, order)
        relevant = split.test.matrix[[user]] - split.test.matrix[[user]].multiply(train.matrix[[user]])
        relevant.eliminate_zeros()
        values.append(score_rankings(order[None], relevant, 10).values["ndcg"][0])
    ndcg, hit = found.arms["popular"].effects
    assert ndcg.value.mean == pytest.approx(np.nanmean(values))
    assert ndcg.value.n == found.asked == np.count_nonzero(~np.isnan(values))
    assert (ndcg.decides, hit.decides) == (True, False)
    assert found.trivial[0].effects == found.arms["popular"].effects
    assert found.trivial[1].effects == found.arms["random_order"].effects
    assert found.arms["ease"].effects[0].difference.difference == pytest.approx(
        found.arms["ease"].effects[0].value.mean - ndcg.value.mean
    )


def test_other_audiences_order_the_arms_too(plain):
    audiences = read_held_out(plain).audiences
    assert list(audiences.utilities) == [
        "this run's mind", "taste family items", "taste family people", "every slot seen, flat exit",
    ]  # fmt: skip
    assert audiences.arms == ARMS
    assert len(audiences.agreements) == 6
    for values in audiences.utilities.values():
        assert values[1] == max(values), "everybody likes the personal list best"


def test_measuring_changes_nothing_of_what_happens_and_can_be_switched_off(tmp_path):
    with_it = run_experiment(toy(), tmp_path / "with")
    without = run_experiment(toy(held_out=False), tmp_path / "without")
    assert with_it.digest == without.digest
    assert config_hash(toy()) == config_hash(toy(held_out=False))
    assert "held_out: false" in read_held_out(tmp_path / "without").missing
    (arm, _) = open_run(tmp_path / "without").compare().findings.arms
    assert arm.real.stance == "not known"


def test_a_run_of_an_earlier_version_is_measured_when_it_is_compared_and_only_once(plain, monkeypatch):
    directory = plain
    measured = read_held_out(directory)
    (directory / "held_out.json").unlink()
    before = sorted(path.name for path in directory.iterdir())
    assert open_run(directory).compare().findings.held_out == measured
    assert sorted(path.name for path in directory.iterdir()) == before, "a comparison writes nothing into a run"
    monkeypatch.setattr(later, "build_plan", None)
    assert open_run(directory).compare().findings.held_out == measured


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_text(path.read_text().replace("n_items: 60", "n_items: 61")),
         "not what it ran with any more (config.dataset.toy.n_items: 60 when it began, 61 now; data: "),
        (lambda path: path.write_text(path.read_text().replace("seed: 3", "seed: 4")),
         "not what it ran with any more (config.seed: 3 when it began, 4 now)"),
        (Path.unlink, "no config.yaml"),
        (lambda path: path.write_text(path.read_text().replace("recommender: ease", "recommender: my.own:Class")),
         "code of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_any_more_is_missing_and_says_why(plain, spoil, said):
    directory = plain
    (directory / "held_out.json").unlink()
    spoil(directory / "config.yaml")
    found = open_run(directory).compare().findings
    assert said in found.held_out.missing
    assert {arm.real.stance for arm in found.arms} == {"not known"}
    assert open_run(directory).compare().real.value.isna().all()


def test_an_edited_file_supports_nothing_and_a_damaged_one_is_named(plain):
    directory = plain
    path = directory / "held_out.json"
    content = json.loads(path.read_text())
    content["asked"] += 1
    path.write_text(json.dumps(content))
    found = open_run(directory).compare()
    assert set(found.verdicts.values()) == {"not supported"}
    assert "check failed: what real behaviour says is as it was written" in found.findings.arms[0].reasons
    path.write_text("{")
    with pytest.raises(RunDirectoryError, match=r"held_out\.json"):
        open_run(directory).compare()
    go_on_with(directory)
    assert "as it was written" not in str(open_run(directory).compare().findings.arms[0].reasons)


def test_a_run_that_was_interrupted_measures_what_an_uninterrupted_one_does(tmp_path, interrupted):
    changes = {key: value for key, value in TOY.items() if key != "name"}
    arms = [{"name": name, "recommender": name} for name in ARMS]
    broken = interrupted(**changes, arms=arms)
    assert read_held_out(broken) is None
    go_on_with(broken)
    shutil.rmtree(tmp_path / "cache")
    whole = run_experiment(load_config(broken / "config.yaml"), tmp_path / "whole").directory
    assert read_held_out(broken) == read_held_out(whole)


def test_of_many_agents_a_sample_is_asked_and_the_denominator_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "MOST_PEOPLE", 20)
    found = open_run(run(tmp_path / "run")).compare()
    held_out = found.findings.held_out
    assert (held_out.asked, held_out.population) == (20, 60)
    assert held_out.with_items > 20
    assert f"20 drawn of {held_out.with_items} of 60 agents" in " ".join(str(found).split())


def test_the_same_arm_is_measured_once(tmp_path, monkeypatch):
    run(tmp_path / "first")
    asked = []
    scores = measuring.ArmMeasurement._figures_of

    async def counted(self, recommender, **named):
        asked.append(type(recommender).__name__)
        return await scores(self, recommender, **named)

    monkeypatch.setattr(measuring.ArmMeasurement, "_figures_of", counted)
    run(tmp_path / "second", simulation={"days": 1})
    assert asked == []
    other = [{"name": "base", "recommender": "popular"}, {"name": "ease", "recommender": "ease",
             "options": {"regularisation": 10.0}}]  # fmt: skip
    run(tmp_path / "third", arms=other)
    assert asked == ["EaseRecommender", "RandomOrderRecommender"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mind": "scripted"}, "a script decides"),
        ({"mind": {"kind": "behavioural", "grounded": True}}, "the same held-out behaviour"),
        ({"design": "interleaving", "plan": None, "arms": [{"name": n, "recommender": n} for n in ARMS[:2]]},
         "no effect"),
    ],
)  # fmt: skip
def test_runs_whose_effects_it_cannot_speak_to_are_not_measured(tmp_path, changes, why):
    assert why in read_held_out(run(tmp_path / "run", **changes)).missing


def test_bounds_and_cold_starts_are_not_measured_and_say_why(tmp_path):
    arms = [
        {"name": "popular", "recommender": "popular"},
        {"name": "best", "recommender": "oracle"},
        {"name": "cold", "recommender": "ease", "history": "none"},
    ]
    found = read_held_out(run(tmp_path / "run", arms=arms))
    assert "bound" in found.arms["best"].missing
    assert "without a history" in found.arms["cold"].missing
    assert found.audiences.missing == "fewer than two arms were measured"


def test_a_language_model_is_asked_nothing_for_it(tmp_path):
    mind = {"kind": "language", "model": {"provider": "scripted"}}
    changes = {"mind": mind, "simulation": {"days": 1}, "population": {"size": 6}}
    directory = run(tmp_path / "with", **changes)
    other = run(tmp_path / "without", held_out=False, **changes)
    assert len(open_run(directory).calls()) == len(open_run(other).calls())
    audiences = read_held_out(directory).audiences
    assert "behavioural mind" in audiences.utilities
    assert "this run's mind" not in audiences.utilities


def test_the_page_shows_what_real_people_do(tmp_path):
    arms = [{"name": name, "recommender": name} for name in ARMS[:2]]
    directory = run(tmp_path / "run", arms=arms, simulation={"days": 1})
    with LogReader(directory) as log:
        page = write_report(directory, log, open_run(directory).summary()).read_text()
    assert "Held-out behaviour agrees: nDCG@10 of new items" in page
    assert "Real behaviour" in page
    assert "difference to popular," in page

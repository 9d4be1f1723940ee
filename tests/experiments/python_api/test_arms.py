"""Recommenders that Python code hands over: how they run, and how their runs are resumed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import groundlings as gl
from groundlings.experiments.running.events import SessionsWritten
from groundlings.recommenders.base import ScoringRecommender, fitted
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.popular import PopularRecommender


def newest(user_ids, k):
    """Items by their number, the highest first."""
    return [list(range(23, 23 - k, -1)) for _ in user_ids]


class ByNumber:
    """Not one of ours: an object that can recommend."""

    def recommend(self, user_ids, k):
        return newest(user_ids, k)


class Learning(ScoringRecommender):
    """Counts how often it was fitted."""

    def __init__(self, boost: float = 1.0) -> None:
        self.boost, self.fits, self.days = boost, 0, 0
        self._scores: np.ndarray | None = None

    def fit(self, interactions, catalog):
        self.fits += 1
        self._scores = self.boost * np.tile(np.arange(len(catalog), dtype=float), (interactions.n_users, 1))

    def observe(self, interactions):
        self.days += 1

    def score(self, users):

        return fitted(self._scores, self)[users]


async def newest_awaited(user_ids, k):
    """The same from a server that takes its time."""
    await asyncio.sleep(0)
    return newest(user_ids, k)


# Recommenders


@pytest.mark.parametrize("given", [newest, newest_awaited, ByNumber(), lambda user_ids, k: newest(user_ids, k)])
def test_a_function_and_an_object_show_what_they_list(experiment, tables, given, tmp_path):
    run = experiment(dataset=tables, arms={"mine": given}).run(tmp_path / "run")
    shown = run.impressions()
    known = experiment(dataset=tables, arms={"mine": given}).history()
    user = shown.user_id[0]
    met = set(known[known.user_id == user].item_id)
    expected = [str(item) for item in range(23, -1, -1) if str(item) not in met][:3]
    first_page = shown[(shown.user_id == user) & (shown.day == 0) & (shown.page == 1)]
    assert first_page.item_id.tolist() == expected
    assert run.arms().recommender.tolist() == ["python:mine"]


def test_a_trained_object_is_used_as_it_is(experiment, tmp_path):
    model = Learning()
    model.fit(*experiment().training())
    run = experiment(arms={"popular": "popular", "mine": model}, days=3).run(tmp_path / "run")
    assert (model.fits, model.days) == (1, 0)
    assert len(run.sessions().query("arm == 'mine'")) == 36


def test_an_object_is_fitted_where_that_is_asked_for(experiment, tmp_path):
    model = Learning()
    experiment(arms={"mine": gl.refitted(model)}, days=3).run(tmp_path / "run")
    assert model.fits == 3
    assert model.days == 3


def test_classes_and_factories_are_fitted_by_the_run(experiment, tmp_path):
    digests = {
        name: experiment(arms={"mine": given}, days=1).run(tmp_path / name).digest
        for name, given in {
            "name": "popular",
            "class": PopularRecommender,
            "mapping": {"recommender": PopularRecommender},
            "factory": lambda: PopularRecommender(),
            "refitted": gl.refitted(PopularRecommender()),
        }.items()
    }
    # The digest holds an arm's recommender, and a Python object is none of the shipped ones.
    assert digests["name"] == digests["class"] == digests["mapping"]
    impressions = [gl.open_run(tmp_path / name).impressions() for name in ("name", "factory", "refitted")]
    for other in impressions[1:]:
        pd.testing.assert_frame_equal(impressions[0], other)


def test_a_class_that_others_can_import_is_written_by_its_name(experiment):
    arms = {"shipped": EaseRecommender, "other": {"recommender": EaseRecommender, "options": {"regularisation": 3}}}
    assert [(arm.recommender, arm.options) for arm in experiment(arms=arms).config.arms] == [
        ("ease", {}),
        ("ease", {"regularisation": 3}),
    ]


def test_a_class_of_a_notebook_gets_its_options(experiment, tmp_path):
    class Local(Learning):
        pass

    arms = {"mine": {"recommender": Local, "options": {"boost": 2.0}, "history": "none"}}
    (arm,) = experiment(arms=arms).config.arms
    assert (arm.recommender, arm.options, arm.history) == ("python:mine", {"boost": 2.0}, "none")
    experiment(arms=arms, days=1).run(tmp_path / "run")
    with pytest.raises(gl.ConfigError, match="bost"):
        experiment(arms={"mine": {"recommender": Local, "options": {"bost": 2.0}}}).check()


def test_history_is_what_recommenders_know_on_the_first_morning(experiment, tables):
    door = experiment(dataset=tables)
    history, (interactions, catalog) = door.history(), door.training()
    whole = tables.interactions
    assert 0 < len(history) < len(whole)
    assert len(interactions) == len(history)
    assert len(catalog) == 24
    kept = set(zip(history.user_id, history.item_id, strict=True))
    assert kept < set(zip(whole.user, whole.item.astype(str), strict=True))


# Resuming


def interrupted(door: gl.Experiment, directory: Path) -> None:
    """Stop a run on its second day."""

    class Stopping:
        heard = 0

        def event(self, event) -> None:
            if isinstance(event, SessionsWritten):
                self.heard += event.count
            if self.heard > 12:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        door.run(directory, progress=Stopping())


def test_an_interrupted_run_resumes_with_its_objects_and_only_with_them(experiment, tables, tmp_path, in_process):
    def door() -> gl.Experiment:
        return experiment(dataset=tables, arms={"all": "popular", "mine": newest})

    whole = door().run(tmp_path / "whole")
    interrupted(door(), tmp_path / "one")
    interrupted(door(), tmp_path / "two")
    done = in_process("run", "--resume", "one")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for part in ("arm 'mine' is a Python object", "groundlings.resume(directory, arms={'mine': ...})"):
        assert part in " ".join(done.stderr.split())
    with pytest.raises(gl.ConfigError, match="arm 'mine' is a Python object"):
        gl.resume(tmp_path / "one")
    with pytest.raises(gl.ConfigError, match="found 'yours'; this run has the arms 'all', 'mine'"):
        gl.resume(tmp_path / "one", arms={"yours": newest})
    with pytest.raises(gl.ConfigError, match="fits never"):
        gl.resume(tmp_path / "one", arms={"mine": gl.refitted(Learning())})
    assert gl.resume(tmp_path / "one", arms={"mine": newest}).digest == whole.digest
    assert door().resume(tmp_path / "two").digest == whole.digest


def test_an_experiment_resumes_its_own_runs_alone(experiment, tmp_path):
    run = experiment(days=1).run(tmp_path / "run")
    with pytest.raises(gl.ConfigError, match="began as another experiment"):
        experiment(days=1, seed=4).resume(run.directory)


def test_a_file_with_a_python_object_says_how_to_run_it(experiment, tmp_path, in_process):
    (tmp_path / "small.yaml").write_text(experiment(arms={"mine": newest}).as_yaml())
    done = in_process("check", "small.yaml")
    assert done.returncode == 2
    assert "groundlings.Experiment" in done.stderr

"""Agents who decide by a student: nobody is called, a pair keeps its answer, and what does not fit is refused."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest
import yaml

from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.experiments.config.loading import load_as, load_config
from groundlings.experiments.labs.distil.config import DistilConfig
from groundlings.experiments.labs.distil.scorer import StudentScorer
from groundlings.experiments.labs.distil.student_file import read_student
from groundlings.experiments.running.click_level import level_warning
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.writer import LogWriter
from tests.experiments.labs.distil.conftest import Teacher


@pytest.fixture(scope="module")
def experiment(distil, distil_file, tmp_path_factory):
    """An experiment file beside a student of the same made-up world."""
    directory = tmp_path_factory.mktemp("students")
    written = distil(Teacher(), directory).student_as_dict()
    (directory / "student.json").write_text(json.dumps(written))
    content = {
        "name": "students",
        "seed": 3,
        "dataset": load_as(DistilConfig, distil_file).dataset.model_dump(mode="json", exclude_none=True),
        "population": {"size": 12},
        "simulation": {"days": 2},
        "site": {"page_size": 4, "max_pages": 2},
        "mind": {"kind": "calibrated", "student": "student.json", "random_click_rate": 0.3},
        "arms": [{"name": "random", "recommender": "random_order"}],
    }
    path = directory / "experiment.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, quick_report):
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))


def test_agents_decide_by_the_student_and_nobody_is_called(experiment, tmp_path):
    outcome = run_experiment(load_config(experiment), tmp_path / "run")
    with sqlite3.connect(outcome.directory / "log.db") as log:
        assert log.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        said = log.execute("SELECT detail FROM events WHERE kind = 'language_score'").fetchall()
    assert len(set(said)) > 10
    manifest = json.loads((outcome.directory / "manifest.json").read_text())
    assert manifest["mind"]["model"] == "student of teacher"


def test_a_run_goes_on_with_its_own_student_and_with_no_other(experiment, tmp_path, monkeypatch):
    config, write, student = load_config(experiment), LogWriter.write, experiment.parent / "student.json"
    written = 0
    whole = run_experiment(config, tmp_path / "whole")

    def failing(self, *arguments, **named):
        nonlocal written
        written += 1
        if written == 3:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_experiment(config, tmp_path / "run")
    own = student.read_text()
    student.write_text(json.dumps(json.loads(own) | {"mean": 9.0}))
    with pytest.raises(ConfigError, match=r"another student:\n    mind\.student"):
        resume_experiment(tmp_path / "run")
    student.write_text(own)
    assert resume_experiment(tmp_path / "run").digest == whole.digest


def test_a_pair_keeps_its_answer_and_a_person_deviates_in_all_answers(experiment, monkeypatch):
    plan = build_plan(load_config(experiment))
    assert level_warning(plan) is None, "`check` fits no weights"
    file = read_student(experiment.parent / "student.json")
    evidence = plan.ground.taste(0).evidence
    scorer = StudentScorer(file, plan.population, evidence, plan.dataset)
    users, items = np.repeat(np.arange(30), 20), np.tile(np.arange(20), 30)
    answers = scorer.scores(users, items)
    np.testing.assert_allclose(scorer.scores(users[::-1], items[::-1])[::-1], answers, rtol=1e-9)
    assert answers.reshape(30, 20).std(axis=1).min() > 0
    with pytest.raises(ConfigError, match=r"mind\.student: the student is of data"):
        StudentScorer(file.model_copy(update={"dataset_hash": "another"}), plan.population, evidence, plan.dataset)
    monkeypatch.setattr("groundlings.personas.taste.features.MANY", 1)
    assert not file.is_of(plan.dataset), "features of very many users mean something else"


def test_what_is_no_student_is_refused(experiment, tmp_path):
    (tmp_path / "student.json").write_text('{"mean": 1}')
    with pytest.raises(DataError, match="not the file of a student of this version: teacher"):
        read_student(tmp_path / "student.json")
    with pytest.raises(ConfigError, match="the student cannot be read"):
        read_student(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="add `language` to terms"):
        load_config(experiment, ["mind.terms=[evidence]"])

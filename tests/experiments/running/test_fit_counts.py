"""What a recommender counts of its fit stands with the run's figures, also after an interruption."""

import json

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.formatting import fitted
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import checkerboard, toy_catalog
from groundlings.recommenders.fit_counts import FitCounts
from groundlings.recommenders.neural.semantic_ids import SemanticIds
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("quick_report")

COUNTING = """
from groundlings.recommenders.fit_counts import FitCounts
from groundlings.recommenders.popular import PopularRecommender


class Counting(PopularRecommender):
    def fit_counts(self, users):
        return FitCounts(f"{len(users)} agents, 1 of 2 <b>", {"agents": len(users), "unknown": None})
"""
SMALL = {"levels": 2, "codes": 4, "length": 4, "width": 8, "blocks": 1, "heads": 1, "epochs": 1, "beam": 5}


def arms_of(directory):
    return {arm["name"]: arm for arm in json.loads((directory / "summary.json").read_text())["arms"]}


@pytest.fixture
def counted(interrupted, module):
    """The directory of a run that was interrupted and resumed; one arm counts, inside of another recommender."""
    own = f"{module(COUNTING)}:Counting"
    mixed = {"recommender": "epsilon_slots", "options": {"of": {"recommender": own}, "epsilon": 0.5}}
    directory = interrupted(arms=[{"name": "plain", "recommender": "popular"}, {"name": "own", **mixed}])
    resume_experiment(directory)
    return directory


def test_counts_stand_in_the_summary_and_are_refused_where_somebody_changed_them(counted):
    arms = arms_of(counted)
    assert arms["own"]["fitted"] == [{"sentence": "12 agents, 1 of 2 <b>", "counts": {"agents": 12, "unknown": None}}]
    assert "fitted" not in arms["plain"]
    with LogReader(counted) as log:
        assert fitted(summarise(log)) == ("own: 12 agents, 1 of 2 <b>.",)
    assert "fitted_sha256" in json.loads((counted / "manifest.json").read_text())

    # What was changed or removed afterwards is refused.
    file = counted / "fitted.json"
    text = file.read_text()
    file.write_text(text.replace("1 of 2", "0 of 2"))
    for expected in ("changed or removed", "cannot be read", "changed or removed"):
        with LogReader(counted) as log, pytest.raises(RunDirectoryError, match=rf"fitted\.json.*{expected}"):
            summarise(log)
        file.unlink() if expected == "cannot be read" else file.write_text('{"own": 3}')


def test_a_run_of_semantic_ids_resumes_to_the_same_digest_and_counts(interrupted, tmp_path):
    pytest.importorskip("torch")
    arm = {"name": "written", "recommender": "semantic_ids", "options": SMALL}
    directory = interrupted(arms=[arm], simulation={"days": 2, "refit_every": 0})
    assert (directory / "fitted.json").is_file(), "counted before the first session"
    whole = run_experiment(load_config(tmp_path / "small.yaml"), tmp_path / "whole")
    assert resume_experiment(directory).digest == whole.digest
    (found,) = arms_of(directory)["written"]["fitted"]
    assert [found] == arms_of(whole.directory)["written"]["fitted"]
    counts = found["counts"]
    assert (counts["items"], counts["users"], counts["sequences"]) == (24, 12, 60)
    assert 0 <= counts["shared"] <= 24
    assert 0 <= counts["explained"] <= 1
    assert 0 <= counts["invalid"] <= 60


@pytest.mark.parametrize("count", [np.int64(3), float("nan"), "3"])
def test_a_count_is_a_number_or_not_known(count):
    with pytest.raises(ConfigError, match=r"fit_counts: lost is .* expected a finite int or float"):
        FitCounts("", {"kept": 1, "lost": count})


def test_semantic_ids_know_no_share_of_nothing():
    pytest.importorskip("torch")

    class Silent(SemanticIds):
        def embed(self, catalog):
            return np.zeros((len(catalog), 2))

    recommender = Silent(**SMALL)
    recommender.fit(checkerboard(), toy_catalog())
    found = recommender.fit_counts(np.array([19]))  # who has no history
    assert found.counts == {"items": 20, "shared": 20, "explained": None, "users": 0, "sequences": 0, "invalid": 0}
    assert "nothing to explain" in found.sentence

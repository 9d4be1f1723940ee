"""A recommender that learns from its impressions: told each day, the same after an interruption and in processes."""

import pytest
import yaml

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.policies.contextual_bandit import ContextualBandit
from groundlings.simulator.log.writer import LogWriter

pytestmark = pytest.mark.usefixtures("quick_report")

BANDIT = {"recommender": "contextual_bandit", "options": {"retriever": {"recommender": "item_knn"}, "width": 3}}
SMALL = {
    "name": "learns",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 4, "refit_every": 2},
    "mind": "behavioural",
    "arms": [{"name": "bandit", **BANDIT}, {"name": "popular", "recommender": "popular"}],
}
SWAPPED = {
    **SMALL,
    "arms": [{"name": "swapped", "recommender": "item_knn"}, {"name": "popular", "recommender": "popular"}],
    "interventions": [{"day": 2, "arms": ["swapped"], "recommender": BANDIT}],
}


@pytest.mark.parametrize("content", [SMALL, SWAPPED], ids=["from the start", "after a change"])
def test_an_interrupted_run_learns_the_same(content, tmp_path, monkeypatch):
    path = tmp_path / "learns.yaml"
    path.write_text(yaml.safe_dump(content))
    config = load_config(path)
    told = []
    observe = ContextualBandit.observe_impressions

    def counting(self, impressions):
        told.append(len(impressions.users))
        observe(self, impressions)

    monkeypatch.setattr(ContextualBandit, "observe_impressions", counting)
    whole = run_experiment(config, tmp_path / "whole")
    in_one, days = list(told), len(told)
    assert days == (4 if content is SMALL else 3)
    assert min(in_one) > 0
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == 6:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_experiment(config, tmp_path / "halved")
    told.clear()
    assert resume_experiment(tmp_path / "halved").digest == whole.digest
    assert told == in_one

"""What a run would take is said before it takes it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.events import Note, RunBegins
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 50, "n_items": 200, "interactions_per_user": 6}},
    "mind": {"kind": "scripted"},
    "arms": [{"name": "popular", "recommender": "popular"}],
}
HUGE = "50,000,000 impressions, about 2 GB of log"


def config(days):
    return ExperimentConfig.model_validate(SMALL | {"simulation": {"days": days}})


@pytest.mark.parametrize(("days", "large"), [(10, False), (20_000, True)])
def test_check_says_when_a_run_is_large(days, large):
    console = Console(file=io.StringIO(), width=200)
    print_plan(build_plan(config(days)), console)
    assert (HUGE in console.file.getvalue()) == large


def test_a_large_run_says_so_before_it_begins(tmp_path):
    class Leaving:
        def event(self, event):
            match event:
                case Note(line):
                    heard.append(line)
                case RunBegins():
                    raise KeyboardInterrupt

    heard = []
    with pytest.raises(KeyboardInterrupt):
        run_experiment(config(20_000), tmp_path / "run", Leaving())
    assert any(HUGE in line for line in heard)


def test_check_says_how_people_are_divided():
    arms = [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}]
    design = {"kind": "split", "shares": {"popular": 1, "knn": 3}, "log": "shared"}
    console = Console(file=io.StringIO(), width=200)
    divided = SMALL | {"simulation": {"days": 2}, "arms": arms, "design": design}
    print_plan(build_plan(ExperimentConfig.model_validate(divided)), console)
    text = " ".join(console.file.getvalue().split())
    assert "split: popular 25 %, knn 75 %; log shared" in text
    assert "at most 100 = 50 people x 2 days" in text

"""`check` says when agents would open far more than people do."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.click_level import click_level
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.plan import build_plan


def planned(mind: dict[str, object]):
    return build_plan(
        ExperimentConfig.model_validate(
            {
                "name": "small",
                "seed": 3,
                "dataset": {"name": "toy", "toy": {"n_users": 60, "n_items": 120, "interactions_per_user": 20}},
                "site": {"page_size": 5, "max_pages": 2},
                "mind": mind,
                "arms": [{"name": "popular", "recommender": "popular"}],
            }
        )
    )


def checked(plan) -> str:
    console = Console(file=io.StringIO(), width=300)
    print_plan(plan, console)
    return " ".join(console.file.getvalue().split())


@pytest.mark.parametrize(("rate", "warned"), [(0.5, True), (0.01, False)])
def test_check_warns_where_the_most_popular_items_are_opened_more_than_people_open(rate, warned):
    plan = planned({"kind": "behavioural", "random_click_rate": rate})
    level, said = click_level(plan), checked(plan)
    assert level.is_plausible is not warned
    assert ("State how much of random items people open (mind.random_click_rate" in said) is warned
    assert (f"{level.popular:.0%} of a first page of the most popular of 120 items" in said) is warned
    assert "this file runs" in said


def test_a_higher_rate_gives_a_higher_level():
    levels = [click_level(planned({"kind": "behavioural", "random_click_rate": rate})) for rate in (0.01, 0.1, 0.5)]
    assert [level.popular for level in levels] == sorted({level.popular for level in levels})
    assert levels[0].met_later == pytest.approx(4 / 104)  # each one's last 4 of 20 items, and 104 not met before
    assert len({level.met_later for level in levels}) == 1


def test_no_level_is_said_of_a_mind_that_states_no_probability():
    assert click_level(planned({"kind": "scripted"})) is None


@pytest.mark.parametrize(("options", "noted"), [({}, True), ({"weights": "log"}, False)])
def test_check_notes_weights_that_no_arm_uses(tmp_path, options, noted):
    (tmp_path / "plays.csv").write_text("u,i,n\n" + "".join(f"{u},{i},{u + i}\n" for u in range(9) for i in range(8)))
    (tmp_path / "items.csv").write_text("i,name\n" + "".join(f"{i},Item {i}\n" for i in range(12)))
    own = {
        "interactions": {"path": str(tmp_path / "plays.csv"), "user": "u", "item": "i", "weight": "n"},
        "items": {"path": str(tmp_path / "items.csv"), "id": "i", "title": "name"},
    }
    config = {
        "name": "weighed",
        "seed": 3,
        "dataset": {"name": "own", "own": own},
        "split": {"kind": "random"},
        "mind": {"kind": "behavioural"},
        "arms": [{"name": "knn", "recommender": "item_knn", "options": options}],
    }
    assert ("and no arm looks at it" in checked(build_plan(ExperimentConfig.model_validate(config)))) is noted

"""Minds, environments and metrics that Python code hands over: how they run, and how runs are read and resumed."""

from __future__ import annotations

import pytest

import groundlings as gl
from groundlings.environments.dataset import RatingScale
from groundlings.environments.feed import PaginatedFeed
from groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions

SCALE = RatingScale(1, 5, 1)


def impatient(context):
    return ScriptedMind(ScriptedOptions(click=(0,), pages=1))


def opened(interactions):
    found = interactions.groupby(["arm", "user_id"]).item_id
    return found.agg(numerator="nunique", denominator="size").reset_index()


DIFFERENT = gl.Metric(
    name="different_items",
    definition="Different items clicked, divided by clicks.",
    unit="share of clicks",
    denominator="click",
    higher_is_better=None,
    function=opened,
)


def test_a_mind_and_an_environment_are_used_and_handed_over_again(experiment, tmp_path):
    feed = PaginatedFeed(2, 4, SCALE, "visit")
    door = experiment(mind=impatient, environment=feed, site={})
    run = door.run(tmp_path / "run")
    assert run.sessions().pages.eq(1).all()
    assert run.impressions().position.max() == 1
    assert "kind: python:impatient" in door.as_yaml()
    assert "kind: python:PaginatedFeed" in door.as_yaml()
    assert gl.resume(run.directory, mind=impatient, environment=feed).digest == run.digest
    assert door.resume(run.directory).digest == run.digest
    with pytest.raises(gl.ConfigError, match=r"mind: 'impatient' is a Python object.*resume\(directory, mind=...\)"):
        gl.resume(run.directory, environment=feed)
    with pytest.raises(gl.ConfigError, match="environment: 'PaginatedFeed' is a Python object"):
        gl.resume(run.directory, mind=impatient)
    with pytest.raises(gl.ConfigError, match="this run began with 'python:impatient', found 'scripted'"):
        gl.resume(run.directory, mind="scripted", environment=feed)


def test_a_metric_decides_and_is_handed_over_again(experiment, tmp_path, in_process):
    door = experiment(mind=impatient, metrics=["view_ratio", DIFFERENT], plan={"primary": "different_items"})
    run = door.run(tmp_path / "run")
    assert run.metrics().metric.unique().tolist() == ["view_ratio", "different_items"]
    assert run.compare().effects.query("role == 'primary'").metric.tolist() == ["different_items"]
    again = gl.open_run(run.directory, metrics=[DIFFERENT])
    assert again.summary() == run.summary()
    with pytest.raises(gl.ConfigError, match="'different_items' is a Python object"):
        gl.open_run(run.directory).metrics()
    with pytest.raises(gl.ConfigError, match="metrics: the Python objects among this run's metrics"):
        gl.resume(run.directory, mind=impatient)
    assert gl.resume(run.directory, mind=impatient, metrics=[DIFFERENT]).digest == run.digest
    done = in_process("compare", run.directory)
    assert done.returncode == 2
    assert "is a Python object" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"mind": 3}, "mind: found 3"),
        ({"mind": lambda: 3}, "cannot be called with a MindContext alone"),
        ({"mind": lambda context: 3}, "made int, which lacks"),
        ({"environment": 3}, "environment: found 3"),
        ({"environment": PaginatedFeed}, "it is a class; make one"),
        ({"metrics": "shipped"}, "metrics: found 'shipped', expected a list"),
        ({"metrics": [opened]}, r"metrics\[0\]: found"),
    ],
)
def test_what_is_none_of_these_is_refused(experiment, changes, part):
    with pytest.raises(gl.ConfigError, match=part):
        experiment(**changes).check()

"""The agents that learnt for a recommender are the audience of a later run: their notes go from one to the other."""

from __future__ import annotations

import json

import pytest
import yaml

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.replicates import run_as_configured
from groundlings.experiments.running.run import resume_experiment
from groundlings.simulator.language import scripted
from groundlings.simulator.log.reader import LogReader
from tests.experiments.running.conftest import TOY

pytestmark = pytest.mark.usefixtures("quick_report")
LEARNT = {
    "name": "agents",
    "recommender": "agentcf",
    "options": {"of": {"recommender": "popular"}, "candidates": 6, "pairs": 2, "fallback": "candidates"},
    "model": {"provider": "scripted"},
}
POPULAR = {"name": "popular", "recommender": "popular"}


def mind(path):
    return {"kind": "language", "model": {"provider": "scripted"}, "agent_notes": {"path": str(path)}}


legal = scripted.legal_reply


def wrong_choice(request):
    """Chooses the first of two, so that about every second choice is wrong, and notes what is asked for."""
    keys = list(request.reply_schema.get("properties", ()))
    if keys == ["why", "chosen"]:
        return json.dumps({"why": "it comes first", "chosen": 1})
    return (
        json.dumps({key: f"learnt as {key}" for key in keys})
        if set(keys) <= {"note", "right", "wrong"}
        else legal(request)
    )


@pytest.fixture
def learnt(tmp_path, monkeypatch):
    """The file of a run in which agents learnt."""
    monkeypatch.setattr(scripted, "legal_reply", wrong_choice)
    path = tmp_path / "learning.yaml"
    content = {"name": "learning", "seed": 3, "dataset": TOY, "simulation": {"days": 1}, "mind": "scripted"}
    path.write_text(yaml.safe_dump({**content, "arms": [POPULAR, LEARNT]}))
    run_as_configured(load_config(path), tmp_path / "learning")
    return tmp_path / "learning" / "agent_notes.json"


def test_an_audience_of_learnt_agents_resumes_to_the_same_digest(learnt, interrupted, tmp_path):
    notes = json.loads(learnt.read_text())["arms"]["agents"]
    assert set(notes["users"].values()) == {"learnt as note"}
    assert set(notes["items"].values()) == {"learnt as right", "learnt as wrong"}
    directory = interrupted(arms=[POPULAR], mind=mind(learnt))
    whole = run_as_configured(load_config(tmp_path / "small.yaml"), tmp_path / "whole")

    # Notes that changed meanwhile are another audience.
    kept = learnt.read_text()
    learnt.write_text(kept.replace("learnt as note", "changed"))
    with pytest.raises(ConfigError, match=r"began with another file.*\n.*mind\.file\.agent_notes\.path"):
        resume_experiment(directory)
    learnt.write_text(kept)

    assert resume_experiment(directory).digest == whole.digest
    with LogReader(directory) as log:
        told = log.calls().messages
    assert told.str.contains("You have noted about yourself: learnt as note").any()
    assert told.str.contains(": learnt as right").any()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"split": {"test_fraction": 0.5}}, "another split"),
        ({"dataset": {**TOY, "toy": {**TOY["toy"], "n_items": 25}}}, "another data"),
    ],
)
def test_notes_of_other_data_or_another_part_of_it_are_refused(learnt, tmp_path, changed, said):
    path = tmp_path / "other.yaml"
    path.write_text(
        yaml.safe_dump({"name": "other", "seed": 3, "dataset": TOY, "arms": [POPULAR], "mind": mind(learnt), **changed})
    )
    with pytest.raises(DataError, match=f"its agents learnt from {said}, found"):
        run_as_configured(load_config(path), tmp_path / "run")

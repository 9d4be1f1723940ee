"""Changes that come later: what is known of them when a run begins, and when it goes on."""

from __future__ import annotations

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.live_requests import REQUESTS_NAME, LiveRequests
from groundlings.experiments.running.plan import build_plan
from groundlings.simulator.interventions import Intervention

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 6}},
    "simulation": {"days": 4},
    "mind": {"kind": "scripted", "click": [0]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "random", "recommender": "random_order"}],
}


class Listener:
    """Keeps the notes that it is told."""

    def __init__(self):
        self.lines = []

    def event(self, event):
        if isinstance(event, Note):
            self.lines.append(event.line)


def test_an_arm_whose_next_recommender_waits_for_a_server_stays_in_one_process(module):
    waiting = module(
        "from groundlings.recommenders.base import AsyncRecommender\n"
        "class Waits(AsyncRecommender):\n"
        "    def fit(self, interactions, catalog): pass\n"
        "    async def rank(self, request): raise NotImplementedError\n"
    )
    later = {"day": 2, "arms": ["popular"], "recommender": f"{waiting}:Waits"}
    engine = {"execution": {"engine": "pool", "workers": 2}, "interventions": [later]}
    plan = build_plan(ExperimentConfig.model_validate({**SMALL, **engine}))
    assert list(plan.execution.lines)[1:] == [
        "arm popular stays in one process: its recommender (Waits) may wait for a model or a server"
    ]


def test_a_line_that_an_earlier_start_did_not_read_there_is_a_note(tmp_path):
    plan = build_plan(ExperimentConfig.model_validate(SMALL))
    taken = [Intervention(arm, 1, "withdraw", {"items": ["i1"]}, "live", 1) for arm in ("popular", "random")]
    notes = {}
    for line in ('{"withdraw": ["i1"]}', '{"withdraw": ["i2"]}', "no json"):
        watching = Listener()
        requests = LiveRequests(tmp_path, plan, watching)
        (tmp_path / REQUESTS_NAME).write_text(line + "\n")
        requests.taken_up(taken)
        assert requests.new(2, ["popular"]) == []
        notes[line] = len(watching.lines)
    assert list(notes.values()) == [0, 1, 1]

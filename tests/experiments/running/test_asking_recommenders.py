"""A recommender that awaits a language model runs, is recorded, replays, keeps to its own cap, and resumes."""

from __future__ import annotations

import json
import sqlite3
import sys

import pytest

from groundlings.environments.errors import BudgetExhausted, ConfigError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.spending import spent_in
from groundlings.simulator.log.store import store_at

ADVISOR = '''
import asyncio
import json

import numpy as np

from groundlings.environments.chat import CallRecord, ChatRequest, Message
from groundlings.environments.ranking import Ranking, top_items
from groundlings.recommenders.base import AsyncRecommender, hash_of


class Advised(AsyncRecommender):
    """Ranks by popularity, and asks a model which of three items comes first for each user."""

    def __init__(self, model, sampling):
        self.model, self.sampling = model, sampling

    def fit(self, interactions, catalog):
        self.counts = interactions.item_counts.astype(float)

    def state(self):
        return hash_of(self.counts)

    async def rank(self, request):
        asked = [self._question(request, row) for row in range(len(request))]
        replies = await asyncio.gather(*map(self.model.ask, asked))
        scores = np.tile(self.counts, (len(request), 1))
        for row, reply in enumerate(replies):
            scores[row, json.loads(reply.text)] += 1000
        ranking = top_items(scores, request)
        calls = tuple(
            CallRecord(question, reply, "advice-1", "a" * 64, "ok", row)
            for row, (question, reply) in enumerate(zip(asked, replies, strict=True))
        )
        return Ranking(ranking.items, ranking.scores, ranking.propensities, ranking.explored, calls=calls)

    def _question(self, request, row):
        told = f"page {request.page} for user {request.users[row]} at {request.sim_time}"
        seed = int(request.draws.uniform("advice", np.full((len(request), 1), request.page))[row, 0] * 2**31)
        schema = {"enum": [3, 7, 11]}
        return ChatRequest((Message("user", told),), schema, self.sampling.max_tokens, self.sampling.temperature, seed)
'''

PEOPLE = 12

pytestmark = pytest.mark.usefixtures("quick_report")


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    (tmp_path / "advisor.py").write_text(ADVISOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("advisor", None)

    def made(model=None, *, mind="behavioural", days=2, **further):
        return ExperimentConfig.model_validate(
            {
                "name": "advised",
                "seed": 5,
                "dataset": {
                    "name": "toy", "toy": {"n_users": PEOPLE, "n_items": 40, "interactions_per_user": 8},
                },
                "simulation": {"days": days},
                "site": {"page_size": 4, "max_pages": 3, "rank_each": "page"},
                "mind": mind,
                "arms": [
                    {"name": "popular", "recommender": "popular"},
                    {
                        "name": "advised",
                        "recommender": "advisor:Advised",
                        "model": {"provider": "scripted", **(model or {})},
                    },
                ],
                "base": tmp_path,
                **further,
            }
        )  # fmt: skip

    yield made
    sys.modules.pop("advisor", None)


def calls_of(directory):
    with LogReader(directory) as log:
        return log.calls()


def test_it_runs_and_each_of_its_calls_is_logged_under_its_own_name(experiment, tmp_path):
    done = run_experiment(experiment(), tmp_path / "run")
    calls = calls_of(done.directory)
    assert set(calls.arm) == {"advised"}
    assert set(calls.asked_by) == {"recommender"}
    with LogReader(done.directory) as log:
        sessions = log.sessions(arm="advised")
        shown = log.impressions(arm="advised")
    assert len(calls) >= sessions.pages.sum(), "asked for every page seen, and once more where there was no further one"
    assert calls.page.min() == 1
    assert calls.page.max() > 1
    assert not shown.duplicated(["user_id", "session_id", "item_id"]).any(), "an item was shown twice in a session"


def test_a_record_of_its_calls_replays_to_the_same_digest_without_asking(experiment, tmp_path):
    store = {"path": str(tmp_path / "calls.db")}
    first = run_experiment(experiment({"store": {**store, "mode": "record"}}), tmp_path / "first")
    again = run_experiment(experiment({"store": {**store, "mode": "replay"}}), tmp_path / "again")
    assert again.digest == first.digest
    assert not calls_of(first.directory).from_store.any()
    assert calls_of(again.directory).from_store.all()


def test_its_cap_is_its_own_and_what_was_reached_can_be_resumed(experiment, tmp_path):
    whole = run_experiment(experiment(), tmp_path / "whole")
    total = len(calls_of(whole.directory))
    capped = experiment({"budget": {"calls": PEOPLE + 2}})
    with pytest.raises(BudgetExhausted, match=r"Raise arms\[1\]\.model\.budget to go on"):
        run_experiment(capped, tmp_path / "run")
    assert len(calls_of(tmp_path / "run")) <= PEOPLE + 2
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace(f"calls: {PEOPLE + 2}", f"calls: {2 * total}"))
    assert resume_experiment(tmp_path / "run").digest == whole.digest


def test_interleaved_recommenders_each_keep_to_their_own_cap_over_every_resume(experiment, tmp_path):
    """A common list is logged under `interleaved`, and each of its calls says whose recommender asked."""

    def interleaved(second: int):
        models = [{"provider": "scripted"}, {"provider": "scripted", "budget": {"calls": second}}]
        arms = [
            {"name": name, "recommender": "advisor:Advised", "model": model}
            for name, model in zip(("first", "second"), models, strict=True)
        ]
        return experiment(arms=arms, design="interleaving")

    whole = run_experiment(interleaved(100_000), tmp_path / "whole")
    cap = int((calls_of(tmp_path / "whole").team == "second").sum()) - 1
    with pytest.raises(BudgetExhausted, match=r"Raise arms\[1\]\.model\.budget"):
        run_experiment(interleaved(cap), tmp_path / "run")
    before = calls_of(tmp_path / "run")
    assert set(before.team) == {"first", "second"}
    assert set(before.arm) == {"interleaved"}
    for _ in range(2):
        with pytest.raises(BudgetExhausted, match=r"Raise arms\[1\]\.model\.budget"):
            resume_experiment(tmp_path / "run")
        assert (calls_of(tmp_path / "run").team == "second").sum() <= cap
    spent = spent_in(store_at(tmp_path / "run"))
    assert spent.by("second").calls == (calls_of(tmp_path / "run").team == "second").sum() > 0
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace(f"calls: {cap}", "calls: 100000"))
    assert resume_experiment(tmp_path / "run").digest == whole.digest
    made = calls_of(tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "log.db") as log:
        log.execute("UPDATE calls SET team_arm_id = NULL")  # as in a log that does not say
    unknown = spent_in(store_at(tmp_path / "run"))
    assert unknown.by("first").calls == unknown.by("second").calls == len(made), "no cap may be passed"


def test_agents_and_recommender_each_have_a_model_and_a_budget(experiment, tmp_path):
    mind = {"kind": "language", "model": {"provider": "scripted", "budget": {"calls": 1000}}}
    done = run_experiment(experiment(mind=mind, days=1), tmp_path / "run")
    calls = calls_of(done.directory)
    assert set(calls.asked_by) == {"agent", "recommender"}
    assert set(calls[calls.asked_by == "recommender"].arm) == {"advised"}
    assert set(calls[calls.asked_by == "agent"].arm) == {"popular", "advised"}
    first = calls[(calls.arm == "advised") & (calls.user_id == calls.user_id.iloc[-1])]
    assert first.asked_by.iloc[0] == "recommender", "it is asked before the agent sees the page"


def test_a_model_for_a_recommender_that_asks_none_is_refused(experiment, tmp_path):
    config = experiment()
    arms = [arm.model_copy(update={"model": config.arms[1].model}) for arm in config.arms]
    with pytest.raises(ConfigError, match=r"arms\[0\]\.model: popular asks no language model"):
        build_plan(config.model_copy(update={"arms": tuple(arms)}))


def test_the_manifest_says_where_people_were(experiment, tmp_path):
    done = run_experiment(experiment(), tmp_path / "run")
    told = json.loads((done.directory / "manifest.json").read_text())
    assert told["environment"] == {"kind": "feed", "page_size": 4, "max_pages": 3, "rank_each": "page"}

"""Agents and recommenders ask model servers one call at a time: none waits for a place that another holds."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack

from aiohttp import web

from groundlings.environments.chat import ChatRequest, Message
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.language.scripted import legal_reply

OPTIONS = {
    "llm_ranker": {"candidates": 4, "rounds": 3, "fallback": "candidates"},
    "recmind": {"candidates": 4, "steps": 2, "fallback": "candidates"},
    "agentcf": {"candidates": 4, "learners": 3, "pairs": 2, "fallback": "candidates"},
    "rah": {"candidates": 4, "learners": 3, "interactions": 2, "fallback": "of"},
    "title_generation": {"titles": 2, "fallback": "candidates"},
    "interec_agent": {"fallback": "candidates"},
    "billp": {"candidates": 4, "fallback": "candidates"},
}
LONGEST = 120
"""Seconds until the test gives up; a run that does not wait for ever takes a few."""


def experiment(of_agents, of_recommenders):
    def model(url):
        return {"provider": "endpoint", "base_url": url, "model": "mock-1", "concurrency": 1}

    return ExperimentConfig.model_validate(
        {
            "name": "one-at-a-time",
            "seed": 3,
            "dataset": {"name": "toy", "toy": {"n_users": 4, "n_items": 40, "interactions_per_user": 8}},
            "simulation": {"days": 2, "concurrency": 4},
            "site": {"page_size": 4, "max_pages": 2, "rank_each": "page"},
            "mind": {"kind": "language", "max_unreadable": 1.0, "model": model(of_agents)},
            "arms": [
                {
                    "name": name,
                    "recommender": name,
                    "options": {"of": {"recommender": "popular"}, **options},
                    "model": model(of_recommenders),
                }
                for name, options in OPTIONS.items()
            ],
        }
    )


def deciding(mock):
    """Answers legally by the request's own seed, after others had the chance to come."""

    async def handler(request):
        body = await request.json()
        await asyncio.sleep(0)
        schema = body["response_format"]["json_schema"]["schema"]
        text = legal_reply(ChatRequest((Message("user", ""),), schema, 1, 0.0, body["seed"]))
        return web.json_response(mock.completion(text))

    return handler


def test_a_run_of_all_systems_ends_where_every_model_takes_one_call_at_a_time(mock, tmp_path):
    path = tmp_path / "log.db"

    async def lived():
        async with (
            mock.Server(every=deciding(mock)) as agents,
            mock.Server(every=deciding(mock)) as recommenders,
            AsyncExitStack() as all_,
        ):
            plan = await prepare(experiment(agents.url, recommenders.url), all_)
            await asyncio.wait_for(simulate(plan, run_row(plan), path), LONGEST)
        return agents, recommenders

    agents, recommenders = asyncio.run(lived())
    assert (agents.most_open, recommenders.most_open) == (1, 1)
    with sqlite3.connect(path) as log:
        calls = dict(log.execute("SELECT asked_by, count(*) FROM calls GROUP BY asked_by"))
        (lessons,) = log.execute("SELECT count(*) FROM lessons").fetchone()
        asking = {
            name
            for (name,) in log.execute(
                "SELECT DISTINCT arms.name FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id) "
                "WHERE asked_by = 'recommender'"
            )
        }
    assert calls["agent"] == len(agents.bodies)
    assert calls["recommender"] + lessons == len(recommenders.bodies)
    assert asking == set(OPTIONS)

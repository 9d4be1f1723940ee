"""Rows of a log in parts are laid out and turned into files where their sessions are simulated; it cannot be told."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from contextlib import AsyncExitStack, suppress
from functools import reduce
from importlib.util import find_spec
from pathlib import Path

import pytest

from groundlings.environments.errors import DataError, WorkerLost
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import SILENT
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import log_experiment, simulate
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.session_hashes import Hashes
from groundlings.simulator.log.shard_rows import LaidOut
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.shards import Numbering

TOY = {"n_users": 40, "n_items": 50, "interactions_per_user": 10}
SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": TOY},
    "simulation": {"days": 2, "visit_probability": 0.8},
    "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "behavioural", "cohort_size": 7},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}
CASES = {
    "split with one log": {"design": {"kind": "split", "log": "shared"}},
    "interleaving": {"design": "interleaving"},
    "several sessions a day": {
        "simulation": {"days": 2, "returns": {"churn": {"chance": 0.05}, "sessions_per_day": 2, "again": 0.5}}
    },
    "lost and refused": {
        "mind": {"kind": "scripted", "misdeeds": ["none", "illegal", "unreadable"], "click": [0, 2], "pages": 2}
    },
    "a shop": {
        "dataset": {"name": "toy", "toy": {**TOY, "offers": True}},
        "site": {"page_size": 4, "max_pages": 2, "actions": ["click", "add_to_cart", "purchase", "quantity", "paid"]},
        "mind": {
            "kind": "behavioural",
            "cohort_size": 7,
            "random_click_rate": 0.2,
            "shopping": {"add_rate": 0.6, "purchase_rate": 0.5},
        },
    },
}
POOL = {"engine": "pool", "workers": 2}
ORDERED = (
    "SELECT * FROM sessions ORDER BY session_id",
    "SELECT * FROM impressions ORDER BY impression_id",
    "SELECT * FROM events ORDER BY event_id",
)


@pytest.fixture(autouse=True)
def small_shards_are_laid_out_by_workers(monkeypatch):
    monkeypatch.setattr("groundlings.simulator.arm._LAID_OUT_FROM", 1)
    monkeypatch.setattr("groundlings.personas.minds.scripted.ScriptedMind.cohort_size", 7)


def config_of(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **changes})


def in_parts(folder: Path) -> ParquetStore:
    folder.mkdir(exist_ok=True)
    return ParquetStore(folder / LOG_NAME)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "parts").rglob("*.parquet"))}


@pytest.mark.parametrize("case", CASES)
def test_every_row_and_every_id_are_those_of_one_process(case, tmp_path):
    theirs = tmp_path / LOG_NAME
    log_experiment(config_of(**CASES[case], execution={"engine": "process"}), theirs)
    for place in (in_parts(tmp_path / "parts"), tmp_path / "pool.db"):
        hashes = simulated(place, config_of(**CASES[case], execution=POOL))
        with LogReader(theirs) as one, LogReader(place) as ours:
            assert ours.digest() == one.digest()
            assert hashes is not None, "workers have hashed each session that they laid out"
            assert ours.digest(hashes=hashes) == one.digest()
            for query in ORDERED:
                assert ours.query(query).astype(object).equals(one.query(query).astype(object)), query
            assert not ours.check_seals().faults


def test_the_files_are_the_same_whatever_the_number_of_workers(tmp_path):
    for workers in (1, 5):
        log_experiment(config_of(execution={**POOL, "workers": workers}), in_parts(tmp_path / str(workers)))
    assert contents(tmp_path / "1") == contents(tmp_path / "5")
    assert len(contents(tmp_path / "1")) > 40  # one for each shard and table


def simulated(place, config, cut_short=None) -> Hashes | None:
    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack)
            return await simulate(plan, run_row(plan), place, SILENT, cut_short)

    return asyncio.run(whole())


MORTAL = """
import os, signal
from contextlib import suppress
from pathlib import Path
from groundlings.environments.errors import DataError
from groundlings.recommenders.popular import PopularRecommender

HERE, PARENT = Path({place!r}), {parent}

def told(word):
    with suppress(FileNotFoundError):  # of two workers that come by at once, one dies
        return os.getpid() != PARENT and HERE.read_text() == word

def die():
    with suppress(FileNotFoundError):
        HERE.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

class Mortal(PopularRecommender):
    '''Ends its process while it ranks, or fails, as a file says.'''

    def recommend(self, request):
        if 20 in request.users and told("ranking"):
            die()
        if 20 in request.users and told("failing"):
            raise DataError("user 20 has no ranking")
        return super().recommend(request)
"""


@pytest.fixture
def mortal(module, tmp_path, monkeypatch):
    """The arm, and the file that says what ends its worker: `ranking`, `numbering` (once or `always`), or `failing`."""
    name = module(MORTAL.format(place=str(tmp_path / "trap"), parent=os.getpid()))
    numbered = LaidOut.numbered

    def mortally(rows, origin):
        own = importlib.import_module(name)
        if origin.session > 10 and own.told("numbering"):
            own.die()
        if 8 <= origin.session < 15 and own.told("always"):
            os.kill(os.getpid(), signal.SIGKILL)
        return numbered(rows, origin)

    monkeypatch.setattr(LaidOut, "numbered", mortally)
    return [{"name": "mortal", "recommender": f"{name}:Mortal"}], tmp_path / "trap"


@pytest.mark.parametrize("where", ["ranking", "numbering"])
def test_a_worker_that_is_killed_leaves_nothing_behind_and_its_shard_makes_the_same_bytes(where, mortal, tmp_path):
    arms, trap = mortal
    simulated(in_parts(tmp_path / "whole"), config_of(arms=arms, execution=POOL))
    trap.write_text(where)
    simulated(in_parts(tmp_path / "killed"), config_of(arms=arms, execution=POOL))
    assert not trap.exists()
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert not list(tmp_path.rglob("*.part"))


def test_what_lies_behind_a_shard_that_fails_is_simulated_again_when_the_run_is_resumed(mortal, tmp_path):
    arms, trap = mortal
    ours, open_sessions = in_parts(tmp_path / "failed"), []
    trap.write_text("failing")
    with pytest.raises(DataError, match="user 20 has no ranking"):
        simulated(ours, config_of(arms=arms, execution=POOL), open_sessions)
    with LogReader(ours) as log:
        written = set(log.sessions().user_id)
    assert "u1" in written
    assert "u21" in {each.user_id for each in open_sessions} - written
    trap.unlink()
    hashes = simulated(ours, config_of(arms=arms, execution={"engine": "process"}))
    assert hashes is None, "sessions of before are in the log alone"
    simulated(in_parts(tmp_path / "whole"), config_of(arms=arms, execution=POOL))
    with LogReader(ours) as log, LogReader(ParquetStore(tmp_path / "whole" / LOG_NAME)) as whole:
        assert log.digest() == whole.digest()
        assert not log.check_seals().faults


def test_rows_behind_those_that_end_every_worker_are_not_written_before_them(mortal, tmp_path):
    arms, trap = mortal
    ours = in_parts(tmp_path / "lost")
    trap.write_text("always")
    with pytest.raises(WorkerLost):
        simulated(ours, config_of(arms=arms, execution=POOL))
    with LogReader(ours) as log:
        assert log.query("SELECT max(session_id) AS last FROM sessions")["last"].tolist() == [7]
        assert not log.check_seals().faults
    trap.unlink()
    simulated(ours, config_of(arms=arms, execution=POOL))
    simulated(in_parts(tmp_path / "whole"), config_of(arms=arms, execution=POOL))
    assert contents(tmp_path / "lost").keys() == contents(tmp_path / "whole").keys()
    with LogReader(ours) as log, LogReader(ParquetStore(tmp_path / "whole" / LOG_NAME)) as uninterrupted:
        assert log.digest() == uninterrupted.digest()


MOMENTS = (
    "writer.LogWriter.claim",
    "writer.LogWriter.write",
    "writer.LogWriter._sealed",
    "parts.write",
    "parts._sync",  # a file lies at its place, and no row says so
)


@pytest.mark.parametrize(
    ("moment", "call", "store"),
    [
        *((moment, call, "parquet") for call, moment in enumerate(MOMENTS, 2)),
        (MOMENTS[0], 3, "sqlite"),
        (MOMENTS[2], 2, "sqlite"),
    ],
)
def test_a_run_that_is_killed_while_workers_lay_rows_out_goes_on_to_the_same_digest(
    moment, call, store, whole, tmp_path
):
    place = in_parts(tmp_path / "run") if store == "parquet" else tmp_path / LOG_NAME
    run = os.fork()
    if run == 0:
        with pytest.MonkeyPatch.context() as patched, suppress(BaseException):
            name = f"groundlings.simulator.log.{moment}"
            patched.setattr(name, killing_at(call, found(name)))
            log_experiment(config_of(execution=POOL), place)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(run, 0)[1]) == -signal.SIGKILL
    log_experiment(config_of(execution=POOL), place)
    with LogReader(place) as log:
        assert log.digest() == whole
        assert not log.check_seals().faults
    assert not list(tmp_path.rglob("*.part"))


def found(name):
    """A function of the log's by its name."""
    module, *path = name.removeprefix("groundlings.simulator.log.").split(".")
    return reduce(getattr, path, importlib.import_module(f"groundlings.simulator.log.{module}"))


def killing_at(call, work):
    """The same function, which ends its process when it is called for the n-th time."""
    calls = iter(range(1, 10_000))

    def counted(*arguments, **named):
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*arguments, **named)

    return counted


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digest of the run that is killed."""
    place = tmp_path_factory.mktemp("whole") / LOG_NAME
    log_experiment(config_of(execution={"engine": "process"}), place)
    with LogReader(place) as log:
        return log.digest()


def test_ids_are_given_out_in_the_order_of_shards_and_once():
    claimed = []
    numbering = Numbering(lambda counts: claimed.append(counts) or len(claimed))
    assert numbering.ready(1, "one") == []
    assert numbering.ready(0, "zero") == [(0, 1), (1, 2)]
    assert numbering.ready(1, "one again") == [(1, 2)]
    assert claimed == ["zero", "one"]


@pytest.mark.ray
def test_a_cluster_makes_the_same_files(tmp_path):
    if os.environ.get("TEST_RAY") is None:
        pytest.skip("starts a cluster; TEST_RAY=require runs it")
    if find_spec("ray") is None:
        pytest.fail("TEST_RAY is set, and there is no Ray")
    for engine in ("pool", "ray"):
        log_experiment(config_of(execution={"engine": engine, "workers": 2}), in_parts(tmp_path / engine))
    assert contents(tmp_path / "ray") == contents(tmp_path / "pool")

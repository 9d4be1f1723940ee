"""Where sessions are simulated changes no result: in process, worker processes, Ray; whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
from contextlib import AsyncExitStack, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from groundlings.environments.errors import ConfigError, DataError, WorkerLost
from groundlings.experiments.config.loading import config_hash
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan, prepare
from groundlings.experiments.running.simulating import log_experiment, simulate
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TOY = {"n_users": 40, "n_items": 50, "interactions_per_user": 10}
ARMS = [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}]
SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": TOY},
    "simulation": {"days": 2, "visit_probability": 0.8},
    "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "behavioural", "cohort_size": 7},
    "arms": ARMS,
}
RETURNS = {
    "after_session": {"satisfaction": 0.1, "found": 0.3, "fatigue": -2},
    "churn": {"chance": 0.05},
    "sessions_per_day": 3,
    "again": 0.5,
}
SHOP = {
    "dataset": {"name": "toy", "toy": {**TOY, "offers": True}},
    "site": {"page_size": 4, "max_pages": 2, "actions": ["click", "add_to_cart", "purchase", "quantity", "paid"]},
    "mind": {
        "kind": "behavioural",
        "cohort_size": 7,
        "random_click_rate": 0.2,
        "shopping": {"add_rate": 0.6, "purchase_rate": 0.5},
    },
}
CASES = {
    "parallel": {},
    "split with one log": {"design": {"kind": "split", "log": "shared"}},
    "interleaving": {"design": "interleaving"},
    "returns and several sessions a day": {"simulation": {"days": 3, "returns": RETURNS}},
    "a shop": SHOP,
}


class Listener:
    """Keeps the notes that it is told."""

    def __init__(self):
        self.lines = []

    def event(self, event):
        if isinstance(event, Note):
            self.lines.append(event.line)


def config_of(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **changes})


def pool(workers=2):
    return {"engine": "pool", "workers": workers}


def logged(place: Path, **changes) -> str:
    """The digest of a run."""
    log_experiment(config_of(**changes), place)
    with LogReader(place) as log:
        return log.digest()


@pytest.fixture(scope="module")
def in_process(tmp_path_factory):
    """The digest of each case, simulated in one process."""
    folder = tmp_path_factory.mktemp("process")
    found = {}

    def digest(case: str) -> str:
        if case not in found:
            found[case] = logged(folder / case, **CASES[case], execution={"engine": "process"})
        return found[case]

    return digest


@pytest.mark.parametrize("case", CASES)
def test_worker_processes_make_the_same_log(case, in_process, tmp_path):
    assert logged(tmp_path / LOG_NAME, **CASES[case], execution=pool()) == in_process(case)


@pytest.mark.parametrize("workers", [1, 7])
def test_the_number_of_workers_changes_nothing(workers, in_process, tmp_path):
    assert logged(tmp_path / LOG_NAME, execution=pool(workers)) == in_process("parallel")


MORTAL = """
import os, signal
from pathlib import Path
from groundlings.recommenders.popular import PopularRecommender

class Mortal(PopularRecommender):
    '''Ends its process while a file is there; the file is taken away first where it says `once`.'''

    def recommend(self, request):
        here = Path({place!r})
        if 5 in request.users and os.getpid() != {parent} and here.exists():
            if here.read_text() == "once":
                here.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().recommend(request)
"""


@pytest.fixture
def mortal(module, tmp_path):
    """Arms of which one has a recommender that ends its worker, and the file that makes it do so."""
    trap = tmp_path / "trap"
    name = module(MORTAL.format(place=str(trap), parent=os.getpid()))
    return [{"name": "mortal", "recommender": f"{name}:Mortal"}], trap


def simulated(place: Path, config: ExperimentConfig, listener: Listener, cut_short=None) -> None:
    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack)
            await simulate(plan, run_row(plan), place, listener, cut_short)

    asyncio.run(whole())


def test_what_a_killed_worker_had_begun_is_simulated_again_and_said(mortal, tmp_path):
    arms, trap = mortal
    whole, listener = logged(tmp_path / "whole.db", arms=arms), Listener()
    trap.write_text("once")
    simulated(tmp_path / LOG_NAME, config_of(arms=arms, execution=pool()), listener)
    with LogReader(tmp_path / LOG_NAME) as log:
        assert log.digest() == whole
    (line,) = listener.lines
    assert line == "arm mortal, day 1: a worker process was killed (SIGKILL); what it had begun is simulated again"


def test_a_shard_that_kills_every_worker_stops_the_run_which_can_be_resumed(mortal, tmp_path):
    arms, trap = mortal
    whole, open_sessions = logged(tmp_path / "whole.db", arms=arms), []
    trap.write_text("always")
    told = r"arm mortal, day 1: 3 worker processes, .* were killed \(SIGKILL\) while they simulated the same 7 sessions"
    with pytest.raises(WorkerLost, match=told):
        simulated(tmp_path / LOG_NAME, config_of(arms=arms, execution=pool()), Listener(), open_sessions)
    assert "u6" in {each.user_id for each in open_sessions}
    with LogReader(tmp_path / LOG_NAME) as log:
        assert log.run()["status"] == "interrupted"
    trap.unlink()
    assert logged(tmp_path / LOG_NAME, arms=arms, execution={"engine": "process"}) == whole


FAILING = """
from groundlings.environments.errors import DataError, UnanswerablePrompt
from groundlings.recommenders.popular import PopularRecommender

class Failing(PopularRecommender):
    def recommend(self, request):
        if 20 in request.users:
            raise DataError("user 20 has no ranking")
        return super().recommend(request)

class Odd(Exception):
    def __init__(self, *, what):
        super().__init__(what)

class Oddly(PopularRecommender):
    def recommend(self, request):
        raise Odd(what="nobody can send this")
"""


def test_an_error_in_a_worker_is_that_error_here_and_what_came_before_it_is_kept(module, tmp_path):
    arms, open_sessions = [{"name": "failing", "recommender": f"{module(FAILING)}:Failing"}], []
    with pytest.raises(DataError, match="user 20 has no ranking") as caught:
        simulated(tmp_path / LOG_NAME, config_of(arms=arms, execution=pool()), Listener(), open_sessions)
    assert str(caught.value) == "user 20 has no ranking"
    assert "in a worker process:\nTraceback" in caught.value.__notes__[0]
    with LogReader(tmp_path / LOG_NAME) as log:
        written = set(log.sessions().user_id)
    assert {"u1", "u2"} <= written
    assert "u21" in {each.user_id for each in open_sessions} - written


def test_an_error_that_cannot_be_sent_is_told_in_its_own_words(module, tmp_path):
    arms = [{"name": "odd", "recommender": f"{module(FAILING)}:Oddly"}]
    with pytest.raises(RuntimeError, match=r"(?s)in a worker process:.*nobody can send this"):
        logged(tmp_path / LOG_NAME, arms=arms, execution=pool())


SLOW = """
import os, time
from pathlib import Path
from groundlings.recommenders.popular import PopularRecommender

class Slow(PopularRecommender):
    '''Writes down who it is, then takes a minute.'''

    def recommend(self, request):
        (Path({place!r}) / str(os.getpid())).touch()
        time.sleep(60)
        return super().recommend(request)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_run(number, module, tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()
    arms = [{"name": "slow", "recommender": f"{module(SLOW.format(place=str(pids)))}:Slow"}]
    config = config_of(arms=arms, execution=pool())
    run = os.fork()
    if run == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(BaseException):
            log_experiment(config, tmp_path / LOG_NAME)
        os._exit(0)
    workers = until(lambda: [int(each.name) for each in pids.iterdir()], 2)
    os.kill(run, number)
    os.waitpid(run, 0)
    assert until(lambda: [pid for pid in workers if not alive(pid)], 2)
    if number == signal.SIGINT:
        with LogReader(tmp_path / LOG_NAME) as log:
            assert log.run()["status"] == "interrupted"


def until(found, count):
    """What is found, once there is enough of it."""
    for _ in range(600):
        if len(found()) == count:
            return found()
        time.sleep(0.05)
    raise AssertionError(found())


def alive(pid):
    """Whether a process runs; one that has ended may wait to be buried by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def lines_of(**changes):
    return list(build_plan(config_of(**changes)).execution.lines)


LARGE = {"dataset": {"name": "toy", "toy": {**TOY, "n_users": 5_000}}, "mind": {"kind": "behavioural"}}


def test_a_small_run_stays_in_one_process_and_a_large_one_takes_the_cores(monkeypatch):
    assert lines_of() == ["process: about 32 sessions per arm and day are too few to share out"]
    large = {**LARGE, "mind": {"kind": "scripted"}, "simulation": {"days": 1}, "arms": ARMS[:1]}
    monkeypatch.setattr("groundlings.experiments.running.execution.usable_cores", lambda: 4)
    assert lines_of(**large) == ["pool, 4 workers: about 5,000 sessions per arm and day in 2 shards"]
    monkeypatch.setattr("groundlings.experiments.running.execution.usable_cores", lambda: 1)
    assert lines_of(**large) == ["process: there is one core"]


ASKING = {"mind": {"kind": "language", "model": {"provider": "scripted"}}}


def test_what_cannot_be_simulated_elsewhere_stays_and_says_why(module):
    own = module("from groundlings.recommenders.popular import PopularRecommender as P\nclass Own(P):\n    pass\n")
    waiting = module(
        "from groundlings.recommenders.base import AsyncRecommender\n"
        "from groundlings.recommenders.popular import PopularRecommender\n"
        "class Waits(AsyncRecommender):\n"
        "    def __init__(self): self.of = PopularRecommender()\n"
        "    def fit(self, interactions, catalog): self.of.fit(interactions, catalog)\n"
        "    async def rank(self, request): return self.of.recommend(request)\n"
    )
    mixed = [
        {"name": "popular", "recommender": "popular"},
        {"name": "waits", "recommender": f"{waiting}:Waits"},
        {"name": "own", "recommender": f"{own}:Own"},
        {"name": "blend", "recommender": "blend", "options": {"of": [{"recommender": "popular"}] * 2}},
    ]
    assert lines_of(arms=mixed, execution=pool()) == [
        "pool, 2 workers: as execution.engine says",
        "arm waits stays in one process: its recommender (Waits) may wait for a model or a server",
    ]
    (line,) = lines_of(arms=mixed[2:3])
    assert line.startswith("process: Own is not part of Groundlings, and may hold threads")
    (line,) = lines_of(**ASKING, execution=pool())
    assert line == "pool, 2 client processes: as execution.engine says"
    (line,) = lines_of(arms=[{"name": "best", "recommender": "oracle"}])
    assert line.startswith("process: it ranks by the hidden preference")


def test_a_mind_that_remembers_stays_although_only_it_can_tell(module, tmp_path):
    name = module(
        "from groundlings.personas.mind import Afterthoughts\n"
        "from groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions\n"
        "class Remembers(ScriptedMind):\n"
        "    def __init__(self): super().__init__(ScriptedOptions())\n"
        "    async def look_back(self, sessions, turns): return Afterthoughts()\n"
        "    def remember(self, memories): pass\n"
    )
    listener = Listener()
    simulated(tmp_path / LOG_NAME, config_of(mind={"kind": f"{name}:Remembers"}, execution=pool()), listener)
    assert listener.lines == [
        f"arm {arm} stays in one process: its agents remember earlier sessions" for arm in ("popular", "knn")
    ]


def test_check_says_which_engine_and_a_run_says_it_first():
    console = Console(file=io.StringIO(), width=200)
    print_plan(build_plan(config_of(execution=pool(3))), console)
    assert "engine pool, 3 workers: as execution.engine says" in " ".join(console.file.getvalue().split())


def test_where_a_run_is_simulated_is_no_part_of_what_it_is():
    assert config_hash(config_of(execution=pool())) == config_hash(config_of())


@pytest.mark.parametrize(
    ("execution", "told"),
    [
        ({"engine": "process", "workers": 2}, "the engine `process` has none"),
        ({"engine": "pool", "address": "auto"}, "only the engine `ray` has a cluster, found engine: pool"),
        ({"engine": "pool", "workers": 0}, "greater than or equal to 1"),
    ],
)
def test_keys_that_nobody_would_read_are_refused(execution, told):
    with pytest.raises(ValueError, match=told):
        config_of(execution=execution)


def test_an_engine_that_is_not_to_be_had_is_an_error_before_anything_begins(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("groundlings.experiments.running.execution.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pool is not to be had: worker processes .* found darwin; use process"):
        lines_of(execution=pool())
    with pytest.raises(ConfigError, match=r"execution.engine: ray needs Ray; install it with pip install"):
        lines_of(execution={"engine": "ray"})


def test_where_no_process_can_be_forked_this_one_goes_on(in_process, monkeypatch, tmp_path):
    def refused(process):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.ForkProcess.start", refused)
    listener = Listener()
    simulated(tmp_path / LOG_NAME, config_of(execution=pool()), listener)
    assert listener.lines[0].endswith("because no other could be started (Resource temporarily unavailable)")
    with LogReader(tmp_path / LOG_NAME) as log:
        assert log.digest() == in_process("parallel")


def test_a_notebook_has_workers_too(in_process, tmp_path):
    async def cell():
        return logged(tmp_path / LOG_NAME, execution=pool())

    assert asyncio.run(cell()) == in_process("parallel")


@pytest.fixture
def ray():
    """Ray on this machine; tests that need it start a cluster, and run where they are asked for, as in CI."""
    if os.environ.get("TEST_RAY") is None:
        pytest.skip("starts a cluster; TEST_RAY=require runs it")
    if find_spec("ray") is None:
        pytest.fail("TEST_RAY is set, and there is no Ray")


@pytest.mark.ray
def test_a_cluster_of_two_workers_makes_the_same_log_although_one_is_killed(ray, mortal, tmp_path, capfd):
    arms, trap = mortal
    arms = [*arms, {"name": "knn", "recommender": "item_knn"}]
    whole, listener = logged(tmp_path / "whole.db", arms=arms), Listener()
    trap.write_text("once")
    cluster = {"engine": "ray", "workers": 2}
    simulated(tmp_path / LOG_NAME, config_of(arms=arms, execution=cluster), listener)
    with LogReader(tmp_path / LOG_NAME) as log:
        assert log.digest() == whole
    (line,) = listener.lines
    assert line.startswith("arm mortal, day 1: a worker was lost (WorkerCrashedError)")
    assert "Unhandled error" not in capfd.readouterr().err

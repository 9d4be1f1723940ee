"""Weights of a calibrated mind in whole experiments: found, fitted, refused, told of, and the same however one runs."""

from __future__ import annotations

import json
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.experiments.cli.calibrate import calibrate
from groundlings.experiments.cli.main import main
from groundlings.experiments.config.loading import load_as, load_config
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.running.calibration import cache_directory, calibrated
from groundlings.experiments.running.events import SILENT, Note, PairsAsked
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.experiments.running.run_directory import Resuming
from groundlings.personas.prompts import load_prompt
from groundlings.personas.taste.calibration import read_calibration
from groundlings.personas.taste.features import FEATURES, VERSION
from groundlings.simulator.language.scripted import ScriptedModel, legal_reply
from groundlings.simulator.log.writer import LogWriter

ROOT = Path(__file__).parents[3]
SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 90, "n_items": 60, "interactions_per_user": 20}},
    "population": {"size": 10},
    "simulation": {"days": 2},
    "site": {"page_size": 4, "max_pages": 2},
    "mind": {"kind": "calibrated", "model": {"provider": "scripted"}, "random_click_rate": 0.3},
    "arms": [{"name": "random", "recommender": "random_order"}, {"name": "popular", "recommender": "popular"}],
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Fitted weights of a test are its own."""
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "calibrations"


class Listener:
    def __init__(self):
        self.notes, self.pairs = [], 0

    def event(self, event):
        match event:
            case Note(line):
                self.notes.append(line)
            case PairsAsked(done, _):
                self.pairs = done


@pytest.fixture
def drawn(tmp_path):
    """Run a variation of the small experiment; gives outcome and listener."""
    count = 0

    def ran(*changes: str, **mind):
        nonlocal count
        count += 1
        path = tmp_path / f"small-{count}.yaml"
        path.write_text(yaml.safe_dump({**SMALL, "mind": {**SMALL["mind"], **mind}}))
        listener = Listener()
        return run_experiment(load_config(path, changes), tmp_path / f"run-{count}", listener), listener

    return ran


@pytest.fixture
def run(drawn, quick_report):
    """The same, with a report that takes no time."""
    return drawn


def query(directory: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(directory / "log.db") as connection:
        return connection.execute(sql).fetchall()


def test_weights_are_fitted_once_and_found_again(run, cache):
    first, listener = run()
    assert listener.pairs > 0
    assert any("calibration: fitted for this run" in line for line in listener.notes)
    (kept,) = cache.glob("*.json")
    again, listener = run()
    assert listener.pairs == 0
    assert any(str(kept) in line for line in listener.notes)
    assert again.digest == first.digest


def test_another_seed_of_the_run_needs_no_other_weights_but_other_data_splits_or_questions_do(run):
    run()
    _, listener = run("seed=4")
    assert listener.pairs == 0
    for change in ("split.salt=b", "split.test_fraction=0.3", "dataset.toy.seed=9", "mind.question.things=books",
                   "mind.fit_people=20", "mind.fit_seed=1"):  # fmt: skip
        _, listener = run(change)
        assert listener.pairs > 0, change


def test_a_run_says_where_its_weights_came_from(run):
    outcome, _ = run()
    manifest = json.loads((outcome.directory / "manifest.json").read_text())
    kept = read_calibration(outcome.directory / "calibration.json")
    assert manifest["calibration_source"] == "fitted for this run"
    assert manifest["mind"]["calibration"]["sha256"] == kept.sha256
    ((logged,),) = query(outcome.directory, "SELECT mind FROM runs")
    assert json.loads(logged)["calibration_source"] == "fitted for this run"


def test_a_named_file_is_used_and_one_of_something_else_says_what_differs(run):
    outcome, _ = run()
    file = outcome.directory / "calibration.json"
    named, listener = run(calibration=str(file))
    assert listener.pairs == 0
    assert named.digest == outcome.digest
    with pytest.raises(ConfigError, match=r"mind.calibration: .*salt is 'groundlings', needed 'b'"):
        run("split.salt=b", calibration=str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        run(calibration="nowhere.json")


def test_concurrency_cannot_reach_the_results(run):
    digests = {run(f"simulation.concurrency={n}")[0].digest for n in (1, 32)}
    assert len(digests) == 1


def test_evidence_alone_gives_the_digest_of_the_behavioural_mind(run, tmp_path):
    alone, _ = run(terms=["evidence"])
    path = tmp_path / "plain.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "mind": {"kind": "behavioural", "random_click_rate": 0.3}}))
    assert run_experiment(load_config(path), tmp_path / "plain").digest == alone.digest
    assert query(alone.directory, "SELECT count(*) FROM calls") == [(0,)]


def test_each_pair_is_asked_about_once_in_a_run_and_the_log_can_be_audited(run):
    directory = run()[0].directory
    asked, pairs = query(
        directory, "SELECT sum(NOT from_store), count(DISTINCT messages) FROM calls WHERE status = 'ok'"
    )[0]
    assert asked <= pairs
    assert query(directory, "SELECT count(*) FROM impressions WHERE clicked != (u_click < p_click)") == [(0,)]
    shown, scored = query(
        directory,
        "SELECT (SELECT count(*) FROM impressions), (SELECT count(*) FROM events WHERE kind = 'language_score')",
    )[0]
    assert shown == scored > 0


def test_a_run_that_was_interrupted_ends_as_if_nothing_had_happened(run, tmp_path, monkeypatch, cache):
    whole, _ = run()
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == 9:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run()
    for kept in cache.glob("*.json"):
        kept.unlink()  # the run has its own
    listener = Listener()
    assert resume_experiment(tmp_path / "run-2", listener).digest == whole.digest
    assert listener.pairs == 0
    manifest = json.loads((tmp_path / "run-2" / "manifest.json").read_text())
    ((mind,),) = query(tmp_path / "run-2", "SELECT mind FROM runs")
    assert manifest["mind"] == json.loads(mind), "the manifest tells what the run began with"


@pytest.fixture
def interrupted(run, tmp_path, monkeypatch, cache):
    """A run that ended after its third session, beside the same in the cache; its directory."""
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == 4:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run()
    assert list(cache.glob("*.json"))
    return tmp_path / "run-1"


def test_the_weights_of_a_run_are_those_in_its_directory_and_no_others(interrupted):
    path = interrupted / "calibration.json"
    content = path.read_text()
    for spoilt in ("", "{}", content.replace('"appeal"', '"else"'), content.replace('"weight"', '"height"')):
        path.write_text(spoilt)
        with pytest.raises(DataError, match=r"calibration\.json.*restore the file from a copy"):
            resume_experiment(interrupted)
    path.unlink()
    with pytest.raises(DataError, match=r"calibration\.json.*restore the file from a copy"):
        resume_experiment(interrupted)
    assert query(interrupted, "SELECT status, (SELECT count(*) FROM sessions) FROM runs") == [("interrupted", 3)]


def test_other_weights_are_named_and_where_they_are_accepted_the_manifest_says_so(interrupted):
    path = interrupted / "calibration.json"
    content = json.loads(path.read_text())
    content["language"]["value"] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"another calibration:\n    mind\.calibration: "):
        resume_experiment(interrupted)
    resume_experiment(interrupted, resuming=Resuming(accept_changes=True))
    manifest = json.loads((interrupted / "manifest.json").read_text())
    ((mind, before, after),) = query(
        interrupted, "SELECT mind, before, after FROM runs JOIN accepted_changes USING (run_id)"
    )
    assert manifest["mind"] == json.loads(mind)
    assert manifest["mind"]["calibration"]["sha256"] == before
    assert after == read_calibration(path).sha256
    assert manifest["identity"] == "changed on resume: mind.calibration"


def test_a_replay_needs_neither_model_nor_weights_of_before(run, tmp_path, cache):
    store = {"path": str(tmp_path / "store.db"), "mode": "record"}
    recorded, _ = run(model={"provider": "scripted", "store": store})
    for kept in cache.glob("*.json"):
        kept.unlink()
    replayed, listener = run(model={"provider": "scripted", "store": {**store, "mode": "replay"}})
    assert listener.pairs > 0
    assert replayed.digest == recorded.digest


def test_grounded_decisions_are_counted(drawn, blank_pictures):
    plain, _ = drawn(terms=["evidence"])
    grounded, _ = drawn(terms=["evidence"], grounded=True)
    logged = query(grounded.directory, "SELECT count(*) FROM events WHERE kind = 'grounded'")[0][0]
    arms = json.loads((grounded.directory / "summary.json").read_text())["arms"]
    assert sum(arm["counts"]["grounded"] for arm in arms) == logged > 0
    assert grounded.digest != plain.digest
    page = (grounded.directory / "report.html").read_text()
    assert "decided by the user" in page
    assert "decided by the user" not in (plain.directory / "report.html").read_text()
    really = query(
        grounded.directory,
        "SELECT count(*) FROM impressions JOIN events USING (impression_id)"
        " WHERE kind = 'grounded' AND examined != clicked",
    )
    assert really == [(0,)]


def test_the_lab_refuses_grounded_replay(tmp_path):
    path = tmp_path / "fidelity.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "seed": 1, "dataset": "ml-100k"}))
    with pytest.raises(ConfigError, match=r"grounded replay decides by the held-out behaviour"):
        load_as(FidelityConfig, path, ["mind={kind: behavioural, grounded: true}"])


def test_the_command_prints_the_weights_and_writes_them(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    app = typer.Typer()
    app.command()(calibrate)
    outcome = CliRunner().invoke(app, [str(path), "--out", str(tmp_path / "w.json")], env={"COLUMNS": "160"})
    assert outcome.exit_code == 0, outcome.output
    written = read_calibration(tmp_path / "w.json")
    assert written.sha256 in outcome.output
    assert f"{written.language.value:+.3f}" in outcome.output
    assert list(cache_directory().glob("*.json"))
    path.write_text(yaml.safe_dump({**SMALL, "mind": "behavioural"}))
    outcome = CliRunner().invoke(app, [str(path)])
    assert isinstance(outcome.exception, ConfigError)


def test_weights_of_answers_that_cannot_be_read_are_refused_and_their_share_is_told(tmp_path, monkeypatch, capsys):
    class Halting(ScriptedModel):
        async def ask(self, request):
            reply = await super().ask(request)
            return reply if len(self.requests) % 2 else replace(reply, text="Hm", first_token=(("Hm", -0.1),))

    async def built(*_, **__):
        return Halting(legal_reply)

    monkeypatch.setattr("groundlings.simulator.language.build.build_chat_model", built)
    monkeypatch.setenv("COLUMNS", "160")
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    command = ["groundlings", "calibrate", str(path), "--out", str(tmp_path / "w.json")]

    def status(*words):
        monkeypatch.setattr(sys, "argv", list(words))
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code

    for _ in range(2):  # the second meets weights that the call in between has kept
        assert status(*command) == 1
        assert "(50 %); mind.max_unreadable allows 20 %" in " ".join(capsys.readouterr().err.split())
        assert not (tmp_path / "w.json").exists()
        assert status(*command[:3], "--set", "mind.max_unreadable=1") == 0
        assert "answers unreadable (50.0 %)" in " ".join(capsys.readouterr().out.split())


def test_two_servers_that_call_their_models_alike_have_weights_of_their_own(tmp_path, monkeypatch):
    asked = []

    class Served(ScriptedModel):
        async def ask(self, request):
            asked.append(request)
            return await super().ask(request)

    async def built(*_, **__):
        return Served(legal_reply)

    monkeypatch.setattr("groundlings.simulator.language.build.build_chat_model", built)
    counts = []
    for number, port in enumerate((8001, 8002, 8001)):
        server = {"provider": "endpoint", "base_url": f"http://127.0.0.1:{port}/v1"}
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(SMALL | {"mind": SMALL["mind"] | {"model": server}}))
        monkeypatch.setattr(sys, "argv", ["groundlings", "calibrate", str(path)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0
        counts.append(len(asked))
    assert 0 < counts[0] < counts[1] == counts[2]


def test_the_shipped_weights_are_those_of_the_quickstart():
    """All but the data and the model themselves, which a machine without them cannot look at."""
    (shipped,) = (ROOT / "experiments" / "calibrations").glob("*.json")
    fitted = read_calibration(shipped).fitted_for
    config = load_config(ROOT / "experiments" / "configs" / "quickstart.yaml")
    mind = config.mind
    assert mind.kind == "calibrated"
    assert set(mind.terms) == {"evidence", "language"}
    assert (fitted.dataset, fitted.split_kind, fitted.test_fraction, fitted.salt) == (
        config.dataset.name, config.split.kind, config.split.test_fraction, config.split.salt
    )  # fmt: skip
    prompt = load_prompt("score", "agent")
    assert (fitted.prompt, fitted.prompt_hash) == (prompt.name, prompt.sha256)
    assert (fitted.evidence, fitted.evidence_version) == (FEATURES, VERSION)
    # The file leaves it to the data set what items are called.
    assert fitted.question == mind.question.model_dump(mode="json") | {"things": "films"}
    assert (fitted.people, fitted.pairs, fitted.seed) == (mind.fit_people, mind.fit_pairs, mind.fit_seed)


@pytest.mark.embedded
def test_the_quickstart_finds_the_shipped_weights_without_a_call(monkeypatch):
    """Data and model are looked at, nobody is asked."""
    pytest.importorskip("xllamacpp")
    monkeypatch.delenv("GROUNDLINGS_CACHE")
    from groundlings.simulator.language.build import own_weights
    from groundlings.simulator.language.weight_encoding import sha256_of

    class Mute:
        name = "SmolLM2-135M-Instruct.Q8_0"

        def __init__(self, fingerprint):
            self.fingerprint = fingerprint

        async def ask(self, request) -> ChatReply:
            raise AssertionError("somebody was asked")

        async def close(self):
            pass

    import asyncio

    async def found():
        config = load_config(ROOT / "experiments" / "configs" / "quickstart.yaml")
        plan = build_plan(config)
        context = replace(plan.minds, model=Mute(f"sha256:{sha256_of(await own_weights())}"))
        monkeypatch.setenv("GROUNDLINGS_CACHE", "/nowhere")
        found = await calibrated(context, config.mind, plan.ground, seed=config.seed, run=None, progress=SILENT)
        return found.language_term

    assert asyncio.run(found()).source.startswith("shipped with Groundlings")

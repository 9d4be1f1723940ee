"""A run goes on as the experiment that it began as; what differs is named, and goes on only if that is accepted."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

import groundlings as gl
from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.page import write_report
from groundlings.experiments.cli.compare import compare
from groundlings.experiments.cli.runs import show_run
from groundlings.experiments.config.loading import config_hash, dump_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.changes import changes_since
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.replicates import go_on_with
from groundlings.experiments.running.run_directory import Resuming
from groundlings.experiments.running.source_code import source_of
from groundlings.simulator.log.begun import Begun
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter

RECOMMENDER = """
import numpy as np
from groundlings.recommenders.base import ScoringRecommender
{imports}

class Mine(ScoringRecommender):
    def __init__(self, weights: str = "") -> None:
        pass

    def fit(self, interactions, catalog):
        self.counts = interactions.item_counts

    def score(self, users):
        return np.tile({sign} * self.counts.astype(float), (len(users), 1))
"""
TOY = {"name": "toy", "toy": {"n_users": 12, "n_items": 24, "interactions_per_user": 6}}
ACCEPTED = Resuming(accept_changes=True)

pytestmark = pytest.mark.usefixtures("quick_report")


def logged(run: Path) -> tuple[dict, list[tuple]]:
    """Status and number of sessions, and the accepted changes."""
    with sqlite3.connect(run / "log.db") as log:
        (status,) = log.execute("SELECT status FROM runs").fetchone()
        (sessions,) = log.execute("SELECT count(*) FROM sessions").fetchone()
        changes = log.execute("SELECT what, before, after FROM accepted_changes ORDER BY change_id").fetchall()
    return {"status": status, "sessions": sessions}, changes


def arm(recommender: str, **options) -> list[dict]:
    return [{"name": "mine", "recommender": recommender, "options": options}]


def test_another_recommender_is_named_and_goes_on_only_if_that_is_accepted(interrupted, module):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine"))
    before = logged(run)
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    with pytest.raises(
        ConfigError, match=r"another code:\n    arms.mine.code: \w{12}\.\.\. .*\n.*--accept-changes"
    ) as told:
        go_on_with(run)
    assert len(str(told.value).splitlines()) == 3, "one line per change"
    assert logged(run) == before, "nothing was written"
    done = go_on_with(run, resuming=ACCEPTED)
    facts, changes = logged(run)
    assert facts["status"] == "done"
    assert [what for what, _, _ in changes] == ["arms.mine.code"]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["identity"] == "changed on resume: arms.mine.code"
    assert manifest["digest"] == done.digest
    with LogReader(run) as log:
        assert manifest["run_id"] == log.run()["run_id"]


def test_what_was_accepted_once_is_not_asked_again_and_its_return_is_a_change(interrupted, module, monkeypatch):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine"))
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", lambda *_, **__: (_ for _ in ()).throw(RunDirectoryError("again")))
        with pytest.raises(RunDirectoryError, match="again"):
            go_on_with(run, resuming=ACCEPTED)
        with pytest.raises(RunDirectoryError, match="again"):
            go_on_with(run)
    module(RECOMMENDER.format(imports="", sign="+1.0"), name)
    with pytest.raises(ConfigError, match=r"arms\.mine\.code"):
        go_on_with(run)
    assert len(logged(run)[1]) == 1


@pytest.mark.parametrize(
    "imports",
    [
        "import {helper}",
        "def later():\n    from {helper} import SIGN\n    return SIGN",
        "import os, \\\n    {helper}",
        "from {helper} import (  # its sign (and no more)\n    SIGN,\n)",
    ],
)
def test_code_beside_a_recommender_counts_wherever_it_is_imported(interrupted, module, imports):
    helper = module("SIGN = 1\n")
    name = module(RECOMMENDER.format(imports=imports.format(helper=helper), sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine"))
    module("SIGN = 2\n", helper)
    with pytest.raises(ConfigError, match=r"arms\.mine\.code"):
        go_on_with(run)


def test_a_recommender_inside_of_another_counts(interrupted, module):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm("degraded", of={"recommender": f"{name}:Mine"}, share=0.5))
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    with pytest.raises(ConfigError, match=r"arms\.mine\.code"):
        go_on_with(run)


def test_the_code_of_minds_environments_and_metrics_counts(interrupted, module):
    mind = module(
        "from groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions\n"
        "class Own(ScriptedMind):\n    def __init__(self):\n"
        "        super().__init__(ScriptedOptions(click=(0,), pages=1))\n"
    )
    place = module("from groundlings.environments.feed import PaginatedFeed\nclass Own(PaginatedFeed): pass\n")
    metric = module(
        "from groundlings import Metric\nOWN = Metric(name='own', definition='Sessions.', unit='sessions', "
        "denominator='session', sql='SELECT arm_id, agent_id, 1 AS numerator, 1 AS denominator FROM sessions')\n"
    )
    run = interrupted(
        mind={"kind": f"{mind}:Own"},
        environment={"kind": f"{place}:Own", "page_size": 4, "max_pages": 2},
        metrics=["shipped", f"{metric}:OWN"],
        arms=arm("popular"),
    )
    for name in (mind, place):
        path = run.parent / f"{name}.py"
        path.write_text(f"{path.read_text()}CHANGED = True\n")
    with pytest.raises(ConfigError) as told:
        go_on_with(run)
    assert "mind.code" in str(told.value)
    assert "environment.code" in str(told.value)
    with LogReader(run) as log:
        assert "metrics.own.code" in log.run()["identity"]


def test_a_file_that_an_option_names_counts_by_its_content(interrupted, module, tmp_path):
    weights = tmp_path / "weights.txt"
    weights.write_text("1 2 3")
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine", weights=str(weights)))
    weights.write_text("1 2 4")
    with pytest.raises(ConfigError, match=r"another file:\n    arms\.mine\.file\.weights"):
        go_on_with(run)
    weights.write_text("1 2 3")
    assert go_on_with(run).digest


@pytest.mark.parametrize(("key", "inside"), [("weights", "weights.0"), ("path", "path")])
def test_a_file_in_a_list_or_of_a_name_without_ending_counts_too(interrupted, module, tmp_path, key, inside):
    weights = tmp_path / "learnt"
    weights.write_text("1 2 3")
    name = module(RECOMMENDER.format(imports="", sign="+1.0").replace("weights: str", f"{key}: object"))
    run = interrupted(arms=arm(f"{name}:Mine", **{key: [str(weights)] if key == "weights" else "learnt"}))
    weights.write_text("1 2 4")
    with pytest.raises(ConfigError, match=rf"arms\.mine\.file\.{inside}"):
        go_on_with(run)


@pytest.mark.parametrize("key", ["directory", "checkpoint"])
def test_the_files_of_a_directory_that_an_option_names_count_and_others_may_come(interrupted, module, tmp_path, key):
    home = tmp_path / "learnt" / "v.1"
    (home / "deep").mkdir(parents=True)
    (home / "deep" / "weights").write_text("1 2 3")
    (home / "names").write_text("a b c")
    name = module(RECOMMENDER.format(imports="", sign="+1.0").replace("weights: str", f"{key}: str"))
    run = interrupted(arms=arm(f"{name}:Mine", **{key: str(home)}))
    (home / "deep" / "weights").write_text("1 2 4")
    with pytest.raises(ConfigError, match=rf"another file:\n    arms\.mine\.file\.{key}/deep/weights"):
        go_on_with(run)
    (home / "deep" / "weights").write_text("1 2 3")
    (home / "names").rename(tmp_path / "names")
    with pytest.raises(ConfigError, match=rf"arms\.mine\.file\.{key}/names: \w+\.\.\. when it began, none now"):
        go_on_with(run)
    (tmp_path / "names").rename(home / "names")
    (home / "cache").write_text("new")
    heard: list[str] = []
    assert go_on_with(run, Hearing(heard)).digest
    assert f"arms.mine.file.{key}/cache: the file was not there when the run began" in heard
    assert logged(run)[1] == []


def test_a_directory_in_which_runs_are_written_is_not_compared(interrupted, module, tmp_path):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine", weights=str(tmp_path)))
    with LogReader(run) as log:
        assert not [part for part in log.run()["identity"] if ".file." in part]
    assert go_on_with(run).digest


def test_another_patch_release_is_told_and_another_minor_one_refused(interrupted):
    run = interrupted(arms=arm("popular"))

    def pretend(version: str) -> None:
        with sqlite3.connect(run / "log.db") as log:
            log.execute("DELETE FROM seals WHERE seal_id > 1")
            log.execute("UPDATE seals SET kind = 'unsealed'")  # as a log of an earlier version, which may be edited
            (identity,) = log.execute("SELECT identity FROM runs").fetchone()
            log.execute(
                "UPDATE runs SET identity = ?", [json.dumps({**json.loads(identity), "packages.numpy": version})]
            )

    import numpy as np

    major, minor, _ = np.__version__.split(".", 2)
    pretend(f"{major}.{int(minor) + 1}.0")
    with pytest.raises(ConfigError, match=r"another version of a package:\n    packages\.numpy"):
        go_on_with(run)
    pretend(f"{major}.{minor}.999")
    heard: list[str] = []
    go_on_with(run, Hearing(heard))
    assert any("packages.numpy" in note and "patch" in note for note in heard)
    assert logged(run)[1] == []


class Hearing:
    """A progress that keeps its notes."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def event(self, event: object) -> None:
        if isinstance(event, Note):
            self.heard.append(event.line)


def test_how_a_model_is_asked_may_change_if_that_is_accepted_and_nothing_else_of_the_file(interrupted):
    run = interrupted(
        mind={"kind": "language", "model": {"provider": "scripted", "max_tokens": 160}}, arms=arm("popular")
    )
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["mind"]["model"]["max_tokens"] = 320
    content["mind"]["model"]["budget"] = {"calls": 10_000}
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"config\.mind\.model\.max_tokens: 160 when it began, 320 now"):
        go_on_with(run)
    seed = {**content, "seed": 99}
    (run / "config.yaml").write_text(yaml.safe_dump(seed))
    with pytest.raises(ConfigError, match=r"another configuration:\n    config\.seed: 3 when it began, 99 now"):
        go_on_with(run, resuming=ACCEPTED)
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    go_on_with(run, resuming=ACCEPTED)
    assert logged(run)[1] == [("config.mind.model.max_tokens", "160", "320")]
    go_on_with(run)


@pytest.mark.parametrize("key", ["path", "adapter"])
def test_weights_that_lie_elsewhere_are_compared_by_the_fingerprint_of_the_model(key):
    def configured(place):
        mind = {"kind": "language", "model": {"embedded": {key: place}}}
        return ExperimentConfig.model_validate(
            {"name": "small", "seed": 1, "dataset": TOY, "mind": mind, "arms": arm("popular")}
        )

    first, moved = configured("one"), configured("two")
    identity = {"data": "d", "mind.model": "tiny sha256:1"}
    begun = Begun("r", False, dump_config(first), config_hash(first), "d", identity)
    assert changes_since(begun, moved, identity) == []
    (found,) = changes_since(begun, moved, {**identity, "mind.model": "tiny sha256:2"})
    assert (found.what, found.before, found.after) == ("mind.model", "tiny sha256:1", "tiny sha256:2")


def test_a_finished_run_is_measured_again_whatever_has_changed_and_its_manifest_stays(interrupted, module):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine"))
    go_on_with(run)
    before = json.loads((run / "manifest.json").read_text())
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    heard: list[str] = []
    go_on_with(run, Hearing(heard))
    after = json.loads((run / "manifest.json").read_text())
    anew = {"command": "", "seconds": {}, "seal": ""}
    assert {**after, **anew} == {**before, **anew}
    assert any(note.startswith("arms.mine.code") for note in heard)


def test_an_object_that_has_learnt_something_else_is_named(tmp_path, monkeypatch):
    from groundlings.recommenders.popular import PopularRecommender

    experiment = gl.Experiment(dataset=TOY, arms={"mine": "popular"}, seed=3, mind={"kind": "scripted"})
    known, catalog = experiment.training()

    def trained(share: float) -> PopularRecommender:
        recommender = PopularRecommender()
        recommender.fit(known.take(range(int(share * len(known)))), catalog)
        return recommender

    begins = gl.Experiment(dataset=TOY, arms={"mine": trained(1)}, seed=3, mind={"kind": "scripted"})
    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", lambda *_, **__: (_ for _ in ()).throw(RunDirectoryError("out of luck")))
        with pytest.raises(RunDirectoryError, match="out of luck"):
            begins.run(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"another trained recommender:\n    arms\.mine\.state"):
        gl.resume(tmp_path / "run", arms={"mine": trained(0.5)})
    run = gl.resume(tmp_path / "run", arms={"mine": trained(0.5)}, accept_changes=True)
    assert json.loads((run.directory / "manifest.json").read_text())["identity"].endswith("arms.mine.state")


def test_a_replicate_that_begins_with_other_code_than_those_before_is_refused_and_a_comparison_says_so(
    interrupted, module
):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    arms = [{"name": "popular", "recommender": "popular"}, *arm(f"{name}:Mine")]
    run = interrupted(arms=arms, variants={"seeds": [3, 4]})
    go_on_with(run / "cells" / "seed-3")
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    with pytest.raises(ConfigError, match=r"seed-3: the run began with another code:\n    arms\.mine\.code"):
        go_on_with(run)
    assert not (run / "cells" / "seed-4" / "config.yaml").exists()
    go_on_with(run, resuming=ACCEPTED)
    checks = {check.name: check for check in gl.open_run(run).compare().findings.checks}
    assert checks["every variant is of the same code, data and packages"].finding == "arms.mine.code"


def test_a_log_that_does_not_say_what_it_depended_on_goes_on_as_before_and_says_so(interrupted, module):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    run = interrupted(arms=arm(f"{name}:Mine"))
    with sqlite3.connect(run / "log.db") as log:
        log.execute("UPDATE runs SET identity = NULL")
        log.execute("DELETE FROM seals WHERE seal_id > 1")
        log.execute("UPDATE seals SET kind = 'unsealed'")
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    heard: list[str] = []
    go_on_with(run, Hearing(heard))
    assert [note for note in heard if "does not say what it depended on" in note]
    assert json.loads((run / "manifest.json").read_text())["identity"].startswith("not known")


def test_whoever_reads_a_run_that_is_two_experiments_is_told(interrupted, module, tmp_path):
    name = module(RECOMMENDER.format(imports="", sign="+1.0"))
    arms = [{"name": "popular", "recommender": "popular"}, *arm(f"{name}:Mine")]
    run = interrupted(arms=arms)
    module(RECOMMENDER.format(imports="", sign="-1.0"), name)
    go_on_with(run, resuming=ACCEPTED)
    said = "changed on resume: arms.mine.code"
    comparison = gl.open_run(run).compare()
    (check,) = [check for check in comparison.findings.checks if "one experiment" in check.name]
    assert (check.status, check.finding) == ("failed", said)
    assert comparison.verdict == "not supported"
    for command in (show_run, compare):
        assert said in " ".join(printed(command, run).split())
    export_run(run, "lenskit", tmp_path / "out")
    assert said in (tmp_path / "out" / "DATASHEET.md").read_text()
    with LogReader(run) as log:
        page = write_report(run, log, summarise(log)).read_text()
    assert "This run is two experiments: arms.mine.code had changed" in page
    assert "This does not repeat the run" in page


def printed(command, *arguments: object) -> str:
    """What a command prints, and what it complains of."""
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
    return f"{done.output}{done.exception or ''}"


def test_code_whose_file_holds_another_text_is_known_by_what_it_does(tmp_path):
    """As of an example that was compiled under the name of the page that it stands on."""
    page = tmp_path / "page.md"
    page.write_text("# A page\n\nIt's (no code:\n")

    def function(result):
        names = {"__name__": "page"}
        exec(compile(f"\n\nlistens = lambda users, k: {result}", page, "exec"), names)
        return source_of(names["listens"]).sha256

    assert function(1) == function(1) is not None
    assert function(1) != function(2)

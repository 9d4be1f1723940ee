"""A large run keeps what was measured of its agents as columns, and every reader finds it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.people import People
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.analysis.people.story import story
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.registry import available_formats
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.experiments.running.sizes import MEASURED_FROM, personas_line, personas_of
from groundlings.personas.population import Population
from groundlings.simulator.log.measured_agents import measured_rows, persona_of, persona_text, table_of_agents
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.asked import answer
from groundlings.simulator.log.tables import agents
from groundlings.simulator.log.writer import LogWriter

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip
PAGE = (Path(__file__).parents[3] / "docs" / "log.md").read_text(encoding="utf-8")
QUERIES = [query.strip().removesuffix(";") for query in re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)]
NOT_KEPT = {"liked", "disliked", "acts", "description", "genre_lifts"}


def small(personas: str = "measured", **log) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, "log": {"personas": personas, **log}})


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """The same experiment in every form; they are only read."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        folder = tmp_path_factory.mktemp("runs")
        forms = {"full": small("full"), "sqlite": small(), "parquet": small(store="parquet")}
        return {name: run_experiment(config, folder / name).directory for name, config in forms.items()}


@pytest.fixture
def run(runs, tmp_path) -> Path:
    """One of them, to be changed."""
    return Path(shutil.copytree(runs["sqlite"], tmp_path / "run"))


def select(run: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(run / "log.db")) as connection:
        return connection.execute(sql).fetchall()


def change(run: Path, *statements: str) -> None:
    with closing(sqlite3.connect(run / "log.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def measured_of(full: dict[str, object]) -> dict[str, object]:
    """What a persona in full says of what is kept of every agent."""
    lifts = full["genre_lifts"]
    style = {name: value for name, value in full["style"].items() if name != "shares"}
    kept = {name: value for name, value in full.items() if name not in NOT_KEPT}
    return {**kept, "style": style, "favourite": min(lifts, key=lambda name: (-lifts[name], name)) if lifts else None}


@pytest.mark.parametrize("form", ["sqlite", "parquet"])
def test_a_persona_says_what_was_measured_and_nothing_else(runs, form):
    with LogReader(runs["full"]) as full, LogReader(runs[form]) as log:
        expected = [measured_of(dict(agent.persona)) for agent in full.logged_agents()]
        found = [dict(agent.persona) for agent in log.logged_agents()]
        assert log.agents().persona.tolist() == found
    assert found == expected


@pytest.mark.parametrize("form", ["sqlite", "parquet"])
def test_whoever_selects_the_persona_finds_json(runs, form):
    columns = agents.columns.keys()
    with LogReader(runs[form]) as log:
        told = [agent.persona for agent in log.logged_agents()]
        asked = log.query(f"SELECT {', '.join(columns)} FROM agents WHERE (SELECT count(*) FROM sessions) > 0")
    rows = select(runs[form], f"SELECT {', '.join(columns)} FROM agents")
    assert [tuple(row) for row in asked.itertuples(index=False)] == rows
    assert {row[1] for row in rows} == {row[0] for row in select(runs[form], "SELECT run_id FROM runs")}
    strangers = answer(runs[form], "SELECT persona FROM agents ORDER BY agent_id")
    assert strangers.rows == tuple((text,) for *_, text in rows)
    for persona, (_, _, user_id, text) in zip(told, rows, strict=True):
        found = json.loads(text)
        assert found["user_id"] == user_id
        assert found["traits"]["conformity"]["value"] == pytest.approx(persona["traits"]["conformity"]["value"])
        assert {**found, "traits": 0, "style": 0} == {**persona, "traits": 0, "style": 0}


@pytest.mark.parametrize("form", ["sqlite", "parquet"])
@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_of_the_page_gives_what_it_gives_of_personas_in_full_or_nothing(runs, form, query):
    with LogReader(runs["full"]) as full, LogReader(runs[form]) as log:
        found = log.query(query)
        if "$.liked" in query:  # what is not known is not told as if nobody liked anything
            assert found.empty
        else:
            pd.testing.assert_frame_equal(found, full.query(query), check_dtype=False, atol=2e-4)


def test_figures_are_those_of_personas_in_full(runs):
    with LogReader(runs["full"]) as full, LogReader(runs["parquet"]) as log:
        ours, theirs = LoggedPersonas(log).columns(), LoggedPersonas(full).columns()
        for name in ("levels", "demographics", "favourites"):
            assert getattr(ours, name) == getattr(theirs, name)
        for name in ("history_length", "mean", "spread"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        for trait, values in theirs.values.items():
            np.testing.assert_array_equal(ours.values[trait], values)
        assert compare_run(runs["parquet"], log).as_dict()["arms"] == compare_run(runs["full"], full).as_dict()["arms"]
    summaries = [json.loads((runs[form] / "summary.json").read_text()) for form in ("full", "parquet", "sqlite")]
    assert all({**each, "run": None} == {**summaries[0], "run": None} for each in summaries)


@pytest.mark.parametrize("name", sorted(available_formats()))
def test_every_export_is_written(runs, tmp_path, name):
    export_run(runs["parquet"], name, tmp_path / "out")


def test_a_persons_story_has_what_is_kept(runs):
    assert read_story(runs["sqlite"], "u3").sessions == read_story(runs["full"], "u3").sessions
    with LogReader(runs["sqlite"]) as log:
        card = story(log, 3).person
    assert (card.liked, card.description) == ((), None)
    assert {"activity", "diversity", "mean rating"} <= {name for name, _ in card.chips}
    cli._mount()
    shown = CliRunner().invoke(cli.app, ["agent", str(runs["sqlite"]), "--user", "u3"])
    assert "keeps measurements of users and no descriptions" in " ".join(shown.output.replace("│", " ").split())
    made = CliRunner().invoke(cli.app, ["personas", "show", str(runs["sqlite"]), "--user", "u3"])
    assert "You have" in made.output
    assert "the data have changed" not in made.output


def test_a_persona_that_is_made_of_other_data_says_so(run):
    cli._mount()
    change(run, "UPDATE runs SET dataset_hash = 'abcdefghij'")
    made = CliRunner().invoke(cli.app, ["personas", "show", str(run), "--user", "u3"])
    assert "the data have changed since this run began (abcdefgh then" in " ".join(made.output.split())


def test_where_a_log_lies_does_not_matter_to_its_digest(runs):
    with LogReader(runs["sqlite"]) as file, LogReader(runs["parquet"]) as parts:
        assert file.digest() == parts.digest()


def test_an_agent_takes_sixty_bytes_and_no_persona_is_made(tmp_path, monkeypatch):
    many = {"name": "toy", "toy": {"n_users": 2000, "n_items": 50, "interactions_per_user": 5}}
    plan = build_plan(ExperimentConfig.model_validate({**SMALL, "dataset": many}))
    nameless = People(plan.population.people.user_ids, ({},) * len(plan.population.people))
    population = replace(plan.population, people=nameless)
    monkeypatch.setattr(Population, "persona", lambda *_: pytest.fail("a persona was made"))
    rows = list(measured_rows(population, 1))
    with closing(sqlite3.connect(tmp_path / "agents.db")) as connection, connection:
        before = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(table_of_agents("a_run"))
        marks = ", ".join("?" * len(rows[0]))
        names = [row[1] for row in connection.execute("PRAGMA table_info(agents)")]
        connection.executemany(f"INSERT INTO agents ({', '.join(names)}) VALUES ({marks})", rows)
        pages = connection.execute("PRAGMA page_count").fetchone()[0] - before
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    assert pages * size / len(rows) <= 60


def test_what_is_not_known_is_null():
    row = (1, "u1", 3, 3, 0, 1, 2, None, None, 0, 0.0, None, None, None, None)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(table_of_agents("a_run"))
        names = [each[1] for each in connection.execute("PRAGMA table_info(agents)")]
        connection.execute(f"INSERT INTO agents ({', '.join(names)}) VALUES ({', '.join('?' * len(row))})", row)
        ((text,),) = connection.execute("SELECT persona FROM agents")
    assert json.loads(text) == json.loads(persona_text(row)) == persona_of(row)
    assert persona_of(row)["style"] == {"mean": None, "ratings": 0, "spread": None}
    assert persona_of(row)["traits"].keys() == {"activity", "diversity"}


@pytest.mark.parametrize("odd", ['a "quote"', "back\\slash", "line\nbreak", "\x01\x1f", "ü 漢 '", "{}"])
def test_any_name_is_told_as_it_is(odd):
    population = build_plan(small()).population
    ids = (odd, *population.people.user_ids[1:])
    row = next(measured_rows(replace(population, people=People(ids, population.people.attributes)), 1))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(table_of_agents("it's"))
        names = [each[1] for each in connection.execute("PRAGMA table_info(agents)")]
        connection.execute(f"INSERT INTO agents ({', '.join(names)}) VALUES ({', '.join('?' * len(row))})", row)
        ((run_id, text),) = connection.execute("SELECT run_id, persona FROM agents")
    assert run_id == "it's"
    assert persona_text(row) == json.dumps(persona_of(row), ensure_ascii=False, sort_keys=True)
    assert json.loads(text)["user_id"] == json.loads(persona_text(row))["user_id"] == odd


def test_a_run_that_was_killed_ends_like_one_that_nobody_killed(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
    taken = LogWriter.write

    def until_the_third(self, *rows, **named):
        if int(rows[0].sessions.day) == 1:
            raise KeyboardInterrupt
        taken(self, *rows, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(small(), tmp_path / "run")
    ended = resume_experiment(tmp_path / "run")
    with LogReader(runs["sqlite"]) as whole, LogReader(tmp_path / "run") as log:
        assert ended.digest == whole.digest()
        assert check_log(tmp_path / "run", log, None).faults == ()


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE agents SET activity = 99 WHERE agent_id = 1",
        "UPDATE agents SET favourite = 'x' WHERE agent_id = 2",
        "UPDATE agents SET demographics = '{}' WHERE agent_id = 2",
        "UPDATE agents SET conformity = NULL",
    ],
)
def test_an_edit_is_seen(run, edit):
    change(run, edit)
    with LogReader(run) as log:
        assert log.check_seals().faults == ("rows of agents were changed",)


def test_a_persona_that_computes_something_else_is_foreign(run):
    with LogReader(run) as log:
        assert log.foreign() == ()
    changed = "replace(sql, '\"activity\"', '\"laziness\"')"
    change(run, "PRAGMA writable_schema = ON", f"UPDATE sqlite_master SET sql = {changed} WHERE name = 'agents'")
    with LogReader(run) as log:
        assert log.foreign() == ("computed columns of agents",)
    with pytest.raises(RunDirectoryError, match="found computed columns of agents, which no run of Groundlings makes"):
        resume_experiment(run)


def test_damage_is_named(run):
    change(run, "UPDATE agents SET activity = 'many' WHERE agent_id = 1")
    with pytest.raises(RunDirectoryError, match=r"agents\.activity holds a value of the kind text, expected integer"):
        resume_experiment(run)


def test_on_a_server_the_same_stands_in_the_column(server, database, runs, tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
    on_server = run_experiment(small(url=server.url(database)), tmp_path / "run").directory
    with LogReader(on_server) as log, LogReader(runs["sqlite"]) as file:
        assert not log.agents_are_measured()
        assert log.digest() == file.digest()
        assert [each.persona for each in log.logged_agents()] == [each.persona for each in file.logged_agents()]
        ours, theirs = LoggedPersonas(log).columns(), LoggedPersonas(file).columns()
        assert (ours.favourites, ours.levels) == (theirs.favourites, theirs.levels)


@pytest.mark.parametrize(("limit", "kept"), [(20, "measured"), (21, "full")])
def test_the_number_of_agents_decides_unless_a_model_is_asked(monkeypatch, limit, kept):
    monkeypatch.setattr("groundlings.experiments.running.sizes.MEASURED_FROM", limit)
    assert personas_of(build_plan(ExperimentConfig.model_validate(SMALL))) == kept
    assert personas_of(build_plan(small("full"))) == "full"
    asked = {**SMALL, "mind": {"kind": "language", "model": {"provider": "scripted"}}}
    assert personas_of(build_plan(ExperimentConfig.model_validate(asked))) == "full"


def test_what_is_kept_is_said(monkeypatch):
    assert MEASURED_FROM == 20_000
    assert personas_line(build_plan(ExperimentConfig.model_validate(SMALL))) is None
    assert personas_line(build_plan(small())).endswith("(log.personas)")
    monkeypatch.setattr("groundlings.experiments.running.sizes.MEASURED_FROM", 2)
    line = personas_line(build_plan(ExperimentConfig.model_validate(SMALL)))
    assert line.endswith("(from 2 agents on; log.personas: full keeps all)")

"""The page about the log: its queries run, its metrics are ours, and no column is missing."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from groundlings.experiments.analysis.metrics import METRICS, per_arm_sql, summarise
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.lesson_rows import lessons
from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.tables import metadata

PAGE = (Path(__file__).parents[3] / "docs" / "log.md").read_text(encoding="utf-8")
QUERIES = [query.strip().removesuffix(";") for query in re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)]
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))


def rows_of(query: str, run: Path) -> list[dict[str, object]]:
    with sqlite3.connect(run / "log.db") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_runs_and_finds_something(small_run, query):
    assert rows_of(query, small_run)


def test_there_are_all_metrics_the_difference_and_ten_questions():
    assert len(QUERIES) == len(METRICS) + 1 + 10


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metric_queries_and_definitions_are_those_of_the_code(metric):
    assert per_arm_sql(metric) in QUERIES
    assert metric.definition in PAGE
    assert metric.left_out in PAGE


def test_the_difference_query_gives_the_summary(small_run, small_log):
    (query,) = (query for query in QUERIES if "AS difference" in query)
    summary = summarise(small_log)
    found = {row["arm"]: row for row in rows_of(query, small_run)}
    assert found.keys() == {arm.name for arm in summary.arms[1:]}
    for arm in summary.arms[1:]:
        expected, row = arm.differences["view_ratio"], found[arm.name]
        assert row["n"] == expected.n
        assert row["difference"] == pytest.approx(expected.difference, abs=1e-9)
        assert (row["variance"] / row["n"]) ** 0.5 == pytest.approx(expected.standard_error, abs=1e-9)


@pytest.mark.parametrize(
    "table", [*metadata.sorted_tables, assignments, lessons, presentations], ids=lambda table: table.name
)
def test_every_column_is_explained(table):
    explained = set(re.findall(r"`(\w+)`", SECTIONS[table.name]))
    assert {column.name for column in table.columns} <= explained


def test_the_position_query_counts_each_slot_once(small_run):
    (curve,) = (query for query in QUERIES if "AS opened,\n       round(avg(examined)" in query)
    shown = sum(row["shown"] for row in rows_of(curve, small_run))
    assert [{"n": shown}] == rows_of("SELECT count(clicked) AS n FROM impressions", small_run)


def test_genre_shares_add_up_to_one_in_each_arm(small_run):
    (mix,) = (query for query in QUERIES if "share_shown" in query)
    totals: dict[object, float] = {}
    for row in rows_of(mix, small_run):
        totals[row["arm"]] = totals.get(row["arm"], 0.0) + row["share_shown"]
    assert all(total == pytest.approx(1.0, abs=1e-3) for total in totals.values())


def test_cold_items_are_in_nobodys_history(small_run):
    (cold,) = (query for query in QUERIES if "WITH known" in query)
    people = [json.loads(row["persona"]) for row in rows_of("SELECT persona FROM agents", small_run)]
    known = {item for person in people for item in (*person["liked"], *person["disliked"])}
    items = rows_of("SELECT title, year FROM items ORDER BY item_id", small_run)
    for row in rows_of(cold, small_run):
        assert items.index({"title": row["title"], "year": row["year"]}) not in known


def test_the_example_in_python_runs(small_run, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(code.replace("runs/quickstart", str(small_run)), {})
    assert re.search(r"chance +0 +0?\.\d", capsys.readouterr().out)

"""Recommenders side by side: the report's figures, first pages by the held-out part, costs, and what is not known."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.cli.paradigms import paradigms
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.experiment import Experiment
from groundlings.experiments.labs.paradigms.comparing import compare_paradigms
from groundlings.experiments.labs.paradigms.kinds import OWN, PARADIGMS, paradigm_of
from groundlings.experiments.labs.paradigms.page import render_page
from groundlings.experiments.labs.paradigms.tables import answer, tables_of
from groundlings.experiments.labs.paradigms.terminal import print_findings
from groundlings.experiments.labs.paradigms.user_groups import activity_gap, group_means
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.terminal import Terminal
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.registry import SHIPPED
from groundlings.simulator.language import scripted
from groundlings.simulator.log.reader import LogReader

CONFIGS = Path(__file__).parents[4] / "experiments" / "configs"
SECTIONS = {
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 60, "n_items": 40, "interactions_per_user": 8}},
    "simulation": {"days": 2},
    "site": {"page_size": 4, "max_pages": 2},
    "mind": {"kind": "behavioural", "random_click_rate": 0.3},
}
PRICES = {"prompt": 1000.0, "completion": 2000.0}


def with_one_made_up(request):
    names = candidates_shown(request.messages[-1].content)[::-1]
    return json.dumps({"ranking": [*names, "The item that is not"]})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("paradigms")
    arms = [
        {"name": "popular", "recommender": "popular"},
        {"name": "<b>knn", "recommender": "item_knn"},
        {"name": "=twin", "recommender": "popular"},
        {
            "name": "ranked",
            "recommender": "llm_ranker",
            "options": {"of": {"recommender": "popular"}, "candidates": 5},
            "model": {"provider": "scripted", "budget": {"prices": PRICES}},
        },
    ]
    config = ExperimentConfig.model_validate({"name": "beside", "arms": arms, "base": place, **SECTIONS})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        patched.setattr(scripted, "legal_reply", with_one_made_up)
        return run_experiment(config, place / "run").directory


@pytest.fixture(scope="module")
def findings(run):
    return compare_paradigms(run)


def test_every_shipped_recommender_has_one_paradigm():
    named = [name for names in PARADIGMS.values() for name in names]
    assert sorted(named) == sorted(SHIPPED)
    assert paradigm_of("my.module:Mine") == OWN


def test_outcomes_are_those_of_the_summary(findings, run):
    arms = {arm["name"]: arm for arm in json.loads((run / "summary.json").read_text())["arms"]}
    for row in findings.rows:
        assert row.figures["view_ratio"].value.mean == arms[row.name]["metrics"]["view_ratio"]["mean"]
    popular, _, twin, _ = findings.rows
    assert popular.figures["view_ratio"].difference is None
    for column in ("view_ratio", "ndcg_at_4"):
        assert twin.figures[column].difference.difference == 0
    assert twin.figures["coverage"].value == popular.figures["coverage"].value


def test_first_pages_are_scored_by_the_held_out_part(findings, run):
    plan = build_plan(load_config(run / "config.yaml"))
    people, items = plan.dataset.people.user_ids, plan.dataset.catalog.item_ids
    hits = []
    with LogReader(run) as log:
        shown = log.impressions("ranked")
        agents = set(log.user_ids())
    for user, rows in shown[(shown.day == 0) & (shown.page == 1)].groupby("user_id"):
        number = people.index(user)
        later = set(plan.split.test.matrix[[number]].indices) - set(plan.split.train.matrix[[number]].indices)
        if user in agents and later:
            hits.append(bool(later & {items.index(name) for name in rows.item_id}))
    found = next(row for row in findings.rows if row.name == "ranked").figures["hit_at_4"].value
    assert found.n == len(hits) > 0
    assert found.mean == pytest.approx(np.mean(hits))


def test_calls_tokens_money_and_made_up_names_are_those_of_the_log(findings, run):
    with LogReader(run) as log:
        logged = log.calls()
    calls = logged[~logged.from_store.astype(bool)]
    assert 0 < len(calls) < len(logged), "on the second day some users put the questions of the first"
    popular, *_, ranked = (row.cost for row in findings.rows)
    assert (popular.calls, popular.money, popular.hallucinated) == (0, None, None)
    assert ranked.calls == len(calls) > 0
    assert ranked.prompt_tokens == calls.prompt_tokens.sum()
    spent = calls.prompt_tokens.sum() * PRICES["prompt"] + calls.completion_tokens.sum() * PRICES["completion"]
    assert ranked.money == pytest.approx(spent / 1e6)
    assert ranked.hallucination_rate == pytest.approx(len(logged) / ranked.names)
    assert ranked.per_page(ranked.calls) == ranked.calls / ranked.pages


def test_groups_of_users_and_items_stand_beside_what_was_wanted(findings):
    users = [each for each in findings.groups if each.of == "users"]
    assert users
    assert all(each.value.n >= findings.fewest for each in users)
    thirds = [each for each in findings.groups if each.grouping == "popularity" and each.arm == "popular"]
    assert sum(each.value.mean for each in thirds) == pytest.approx(1)
    assert sum(each.beside for each in thirds) == pytest.approx(1)
    shown = {each.group: each.value.mean for each in thirds}
    assert findings.rows[0].figures["cold_share"].value.mean == shown["least popular third"]


def test_the_interval_of_a_group_ends_where_its_figure_does(run):
    with LogReader(run) as log:
        values = np.zeros(len(log.user_ids()))
        values[::9] = 1.0
        rows = group_means({"hit": {"a": values}, "click_ratio": {"a": values}}, {}, log)
    assert min(row.value.low for row in rows) == 0


def gap_of(lengths, values, monkeypatch):
    columns = SimpleNamespace(history_length=np.array(lengths, dtype=float))
    monkeypatch.setattr(LoggedPersonas, "columns", lambda self: columns)
    return activity_gap({"arm": np.array(values, dtype=float)}, None)


def test_the_active_third_of_the_users_is_held_against_the_least_active(monkeypatch):
    """Thirty-one users, of whom eleven are as active as the last of the lower third; one of them has no value."""
    lengths = [*range(1, 11), 10, *range(11, 21), *range(21, 31)]
    values = [0.0] * 10 + [np.nan] + [7.0] * 9 + [1.0] * 11
    found = gap_of(lengths, values, monkeypatch)["arm"]
    assert (found.mean, found.n) == (1.0, 21)


@pytest.mark.parametrize(
    ("lengths", "reason"), [([8] * 60, "do not differ"), (list(range(29)), "fewer than 10"), ([], "fewer than 10")]
)
def test_a_gap_that_says_nothing_has_a_reason(lengths, reason, monkeypatch):
    known = [np.nan, *range(1, len(lengths))] if lengths else []
    assert reason in gap_of(lengths, known, monkeypatch)


def test_what_cannot_be_known_says_why_and_is_no_zero(run, tmp_path):
    shutil.copy(run / "log.db", tmp_path)
    found = compare_paradigms(tmp_path)
    missing = {column.name: column.missing for column in found.columns if column.missing}
    assert "its data cannot be read" in missing["ndcg_at_4"]
    assert "popularity_lift" in missing
    assert all("ndcg_at_4" not in row.figures for row in found.rows)
    users = tables_of(found)[0]
    assert "NDCG@4" not in users.headings
    assert any(reason.startswith("NDCG@4") for reason in users.missing)
    assert "Not known: NDCG@4" in render_page(found)


def test_interleaved_arms_are_refused(tmp_path, quick_report):
    arms = {"popular": "popular", "random": "random_order"}
    Experiment(arms=arms, design="interleaving", **SECTIONS).run(tmp_path / "run")
    with pytest.raises(ConfigError, match="found interleaving; expected parallel or split"):
        compare_paradigms(tmp_path / "run")


def test_what_real_users_chose_stands_beside_the_answer_where_it_contradicts(findings):
    clear, none = Difference(0.2, 0.01, 0.1, 0.3, 0.001, 60, 0), Difference(0.0, 0.1, -0.2, 0.2, 1.0, 60, 0)
    rows = [
        replace(row, figures={name: replace(each, difference=clear if name.startswith("ndcg") else none)
                              for name, each in row.figures.items()})
        for row in findings.rows[1:]
    ]  # fmt: skip
    head, sentence = answer(replace(findings, rows=(findings.rows[0], *rows)))
    assert head == "No clear winner"
    assert (
        ", no arm is clearly better than popular. By what the real users behind them chose later (NDCG@4), " in sentence
    )
    assert "<b>knn, =twin and ranked are clearly better than popular. 3 other arms are compared with" in sentence


def test_of_a_few_users_nothing_is_called_clear(findings):
    few = Difference(0.2, 0.01, 0.1, 0.3, 0.001, 19, 0)
    rows = [
        replace(row, figures={name: replace(each, difference=few) for name, each in row.figures.items()})
        for row in findings.rows[1:]
    ]
    head, sentence = answer(replace(findings, rows=(findings.rows[0], *rows)))
    assert head == "No clear winner"
    assert sentence.count("19 users are too few to say which arm is better (20 at least)") == 2
    assert "clearly" not in sentence


def test_a_file_in_the_place_of_its_directory_is_refused_before_anything_is_computed(run, tmp_path):
    (tmp_path / "mine").write_text("mine")
    alone = typer.Typer()
    alone.command()(paradigms)
    refused = CliRunner().invoke(alone, [str(run), "--out", str(tmp_path / "mine")]).exception
    assert isinstance(refused, ConfigError)
    assert "cannot be made a directory" in str(refused)
    assert (tmp_path / "mine").read_text() == "mine"


def test_the_command_prints_tables_and_writes_csv_and_page(findings, run, tmp_path):
    alone = typer.Typer()
    alone.command()(paradigms)
    outcome = CliRunner().invoke(alone, [str(run), "--out", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    assert "What it costs" in outcome.output
    assert "paradigms.csv: 1 cell begins like a formula (the first: '=twin')" in outcome.output
    with (tmp_path / "paradigms.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["arm"] for row in rows] == ["popular", "<b>knn", "=twin", "ranked"]
    assert float(rows[3]["view_ratio"]) == findings.rows[3].figures["view_ratio"].value.mean
    assert rows[0]["view_ratio_difference"] == ""
    with (tmp_path / "paradigms_groups.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == len(findings.groups)
    page = (tmp_path / "paradigms.html").read_text()
    assert "&lt;b&gt;knn" in page
    assert "<b>knn" not in page
    assert html.escape(answer(findings)[1].partition(" By ")[0]) in page
    assert "4 arms before 60 users of toy, simulated for 2 days; they decide by the behavioural mind." in page
    assert "Recommenders asked the scripted model." in page
    assert "collaborative filtering (item_knn)" in page
    printed = CliRunner().invoke(alone, [str(run), "--out", str(tmp_path), "--json"])
    assert json.loads(printed.output)["rows"][0]["paradigm"] == "not personal"


@pytest.mark.parametrize("width", [60, 80, 140, 300])
def test_the_terminal_breaks_no_figure_and_no_line(findings, width):
    rows = tuple(replace(row, name="a" * 90 if place == 1 else row.name) for place, row in enumerate(findings.rows))
    told = StringIO()
    print_findings(replace(findings, rows=rows), Terminal(file=told, width=width))
    lines = told.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for table in tables_of(findings):
        for row in table.rows:
            for part in [part for cell in row[1:] if "[" in cell for part in cell.split("; ")]:
                assert any(part in line for line in lines), part


def test_the_page_is_fit_for_everybody(findings, tmp_path, fit_for_everybody):
    path = tmp_path / "paradigms.html"
    path.write_text(render_page(findings))
    fit_for_everybody(path)


def test_both_shipped_files_have_the_same_arms_with_popularity_first():
    large, small = (load_config(CONFIGS / f"{name}.yaml") for name in ("paradigms", "paradigms_small"))
    assert [arm.name for arm in large.arms] == [arm.name for arm in small.arms]
    assert large.arms[0].recommender == "popular"
    assert len({paradigm_of(arm.recommender) for arm in large.arms}) >= 6
    assert all(arm.recommender in SHIPPED for arm in large.arms)


def naming_the_shown(request):
    """Names what it is shown where a list is asked for; elsewhere says what the form takes."""
    names = candidates_shown(request.messages[-1].content)
    wanted = request.reply_schema["properties"]
    return json.dumps({"ranking": names[::-1]}) if "ranking" in wanted and names else legal(request)


legal = scripted.legal_reply


@pytest.mark.usefixtures("quick_report")
def test_every_agent_works_before_customers_of_a_shop_who_rate_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", naming_the_shown)
    config = load_config(CONFIGS / "paradigms_groceries.yaml", ("population.size=2",))
    asking = [arm for arm in config.arms if arm.model is not None]
    assert {arm.recommender for arm in asking} == set(PARADIGMS["agents of language models"]) | {
        "llm_ranker",
        "title_generation",
    }
    run = run_experiment(config.model_copy(update={"arms": (config.arms[0], *asking)}), tmp_path / "run").directory
    shop = [row["name"] for row in csv.DictReader((CONFIGS / "own_data" / "items.csv").open())]
    with LogReader(run) as log:
        told = log.calls().groupby("arm").messages.agg(" ".join)
    for arm in asking:
        assert any(name in told[arm.name] for name in shop)
        assert not {"movie", "film", "rated"} & set(re.findall(r"[a-z]+", told[arm.name].lower())), arm.name
    rows = {row.name: row for row in compare_paradigms(run).rows}
    assert rows["macrec"].cost.hallucinated == 0
    assert rows["macrec"].cost.calls > rows["llm_ranker"].cost.calls > 0

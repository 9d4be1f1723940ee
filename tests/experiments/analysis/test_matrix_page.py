"""The page of a matrix: what all runs say together, which of them disagree, and where each one's own page lies."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from html import unescape

import pytest
import yaml
from rich.console import Console

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.analysis.answer.file import sealed
from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.comparison.several_runs import factors
from groundlings.experiments.analysis.matrix.cells import Cell, OverRuns, heat_maps
from groundlings.experiments.analysis.matrix.sentences import agreement, spread
from groundlings.experiments.archive.cells import runs_in
from groundlings.experiments.cli.run_output import print_outcome
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.replicates import run_matrix, write_reports
from groundlings.experiments.ui.pages import report_policy
from groundlings.simulator.log.reader import LogReader

SIZE = Size(True, 0.1, 0.0, 0.2)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """Two recommenders beside a baseline, under three seeds."""
    folder = tmp_path_factory.mktemp("matrix")
    content = {
        "name": "m",
        "question": "Does <b>it</b> hold?",
        "seed": 3,
        "dataset": {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 12}},
        "mind": "behavioural",
        "held_out": False,
        "simulation": {"days": 1},
        "plan": {"primary": "view_ratio", "guardrails": {"satisfaction": 0.05}},
        "arms": [
            {"name": "popular", "recommender": "popular"},
            {"name": "<i>knn", "recommender": "item_knn"},
            {"name": "chance", "recommender": "random_order"},
        ],
        "variants": {"seeds": [3, 4, 5]},
    }
    (folder / "matrix.yaml").write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "groundlings.experiments.analysis.report.write_report",
            lambda directory, *_: (directory / "report.html").write_text("drawn"),
        )
        outcome = run_matrix(load_config(folder / "matrix.yaml"), folder / "m")
        yield folder / "m", outcome


@pytest.fixture(scope="module")
def page(matrix):
    return (matrix[0] / "report.html").read_text(encoding="utf-8")


def words(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_page_answers_first_with_what_all_runs_say(matrix, page):
    answer = json.loads((matrix[0] / "answer.json").read_text())
    assert answer["question"] == "Does <b>it</b> hold?"
    main = words(page[page.index("<main>") :])
    assert main.startswith(answer["question"])
    assert answer["claim"] in main
    assert answer["sentence"] == matrix[1].measured.answer.sentence
    assert page.index('id="answer"') < page.index('id="agree"') < page.index('id="factors"') < page.index('id="runs"')


def test_the_table_of_one_run_on_the_terminal_says_of_which(matrix):
    console = Console(width=200, record=True)
    print_outcome(matrix[1], console)
    table, answer = console.export_text().split("Mean over agents")
    said = "This table is of seed-3 alone, one of 3 runs; what stands below it is of all of them together."
    assert said in table
    assert matrix[1].measured.answer.claim in answer


def test_the_effect_is_the_mean_over_runs_in_the_answer_and_in_the_table(matrix, page):
    row = next(each for each in matrix[1].measured.answer.rows if each.name == "<i>knn")
    table = words(page[page.index("&lt;i&gt;knn against") :])
    assert f"all 3 runs {row.change} {row.interval}".replace(" %", "\u00a0%") in table.replace(" %", "\u00a0%")


def test_no_chance_to_be_best_stands_beside_an_interval_over_runs(page):
    assert "chance to be best" not in words(page).lower()


def test_every_run_is_linked_and_says_its_own_answer(matrix, page):
    links = dict.fromkeys(re.findall(r'href="(cells/[^"]+)"', page))
    assert list(links) == [f"cells/seed-{seed}/report.html" for seed in (3, 4, 5)]
    assert all((matrix[0] / link).is_file() for link in links)
    cell = matrix[0] / "cells" / "seed-4"
    (cell / "answer.json").write_text(json.dumps(sealed(cell, {"sentence": "<script>It leads."})))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("groundlings.experiments.running.replicates.measure", lambda *_, **__: None)
        write_reports(matrix[0])
    assert "&lt;script&gt;It leads." in (matrix[0] / "report.html").read_text()


def test_what_was_changed_in_any_run_stands_in_the_answer_of_all(matrix, tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.running.replicates.measure", lambda *_, **__: None)
    directory = shutil.copytree(matrix[0], tmp_path / "m")
    with closing(sqlite3.connect(directory / "cells" / "seed-4" / "log.db")) as log, log:
        log.execute("UPDATE sessions SET satisfaction = 9")
    manifest = directory / "cells" / "seed-5" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("runs/", "elsewhere/").replace('"seed": 5', '"seed": 6'))
    answer = write_reports(directory).answer
    assert answer.sentence.startswith(
        "Do not use these figures: a check of the test failed (every variant is as it was"
    )
    said = words((directory / "report.html").read_text())
    assert "arm popular, day 1" in said
    assert "manifest.json was changed" in said


def test_a_run_that_is_left_out_is_named(matrix, tmp_path):
    directory = shutil.copytree(matrix[0], tmp_path / "m")
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "variants": {"seeds": [3, 4]}}))
    with pytest.warns(RunWarning, match=r"cells: seed-5 lies there too, and is left out"):
        assert [run.name for run in runs_in(directory)] == ["seed-3", "seed-4"]


def test_who_asks_a_matrix_for_one_log_is_told_where_one_is(matrix):
    with pytest.raises(RunDirectoryError, match=r"it holds runs, .* such as .*seed-3$"):
        LogReader(matrix[0])


def test_the_web_app_lets_its_script_run(page):
    (allowed,) = re.findall(r"sha256-[^']+", report_policy(matrix=True))
    assert f"&#39;{allowed}&#39;" in page or f"'{allowed}'" in page


def test_it_is_fit_for_phone_paper_and_screen_readers(matrix, page, fit_for_everybody):
    fit_for_everybody(matrix[0] / "report.html")


def test_names_and_questions_are_text(page):
    assert "<i>knn" not in page
    assert "<b>it</b>" not in page


def over(*cells: tuple[float, str], p: float | None = 0.5) -> OverRuns:
    found = tuple(
        Cell(f"seed {number}", SIZE, f"{value:+.0%}", "[low, high]", "unclear", vote, value)
        for number, (value, vote) in enumerate(cells, start=1)
    )
    return OverRuns("knn", Size(True, sum(value for value, _ in cells), None, None), "", "", "unclear", "", found, p)


def test_who_disagrees_is_named_with_the_size_of_it():
    told = agreement(over((0.3, "clearly agrees"), (0.2, "agrees"), (-0.1, "disagrees")), higher_is_better=True)
    assert told == "knn is better in 2 of 3 runs, 1 clearly; not in seed 3 (-10% [low, high], which can be chance)."
    told = agreement(over((0.3, "clearly agrees"), (0.2, "clearly agrees")), higher_is_better=False)
    assert told == "knn is worse in all 2 runs, all clearly."
    assert "exactly what the baseline did" in agreement(over((0.0, "agrees")), higher_is_better=True)


def test_runs_that_differ_by_more_than_chance_are_said_to():
    assert "by more than chance" in spread(over((0.3, "agrees"), p=0.0001))
    assert "by no more than chance" in spread(over((0.3, "agrees"), p=0.4))
    assert spread(over((0.3, "agrees"), p=None)) == ""


def test_a_heat_map_has_the_last_factor_across_and_what_was_not_run_stays_empty():
    levels = [{"prompt": prompt, "seed": seed} for prompt, seed in (("plain", "1"), ("plain", "2"), ("story", "1"))]
    arm = over((0.1, "agrees"), (0.2, "agrees"), (0.3, "agrees"))
    (heat,) = heat_maps([arm], levels)
    assert (heat.title, heat.corner, heat.columns) == ("knn", "prompt", ("seed 1", "seed 2"))
    assert [row.label for row in heat.rows] == ["prompt plain", "prompt story"]
    assert [None if cell is None else cell.change for row in heat.rows for cell in row.cells] == [
        "+10%",
        "+20%",
        "+30%",
        None,
    ]
    (alone,) = heat_maps([arm], [{"seed": each} for each in "123"])
    assert (alone.corner, [row.label for row in alone.rows]) == ("recommender", ["knn"])


def test_models_of_one_name_are_told_apart_and_none_takes_the_place_of_another():
    def run(seed, temperature, wording="standard"):
        return {"seed": seed, "mind": {"model": "m", "temperature": temperature, "options": {"wording": wording}}}

    assert factors([run(1, 0.2), run(2, 0.2), run(1, 0.9), run(2, 0.9)])[2] == {"temperature": "0.9", "seed": "1"}
    alike = [run(1, 0.2), run(2, 0.2), run(1, 0.2), run(2, 0.2)]  # models of one name that differ by something else
    levels = factors(alike)
    assert levels[2:] == [{"run": "3", "seed": "1"}, {"run": "4", "seed": "2"}]
    assert heat_maps([OverRuns("a", SIZE, "", "", "unclear", "", (), None)], levels) == ()
    assert factors([run(1, 0.2)]) == [{}]

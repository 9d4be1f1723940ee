"""The lab of search sessions on small made logs: what is read, known, predicted and printed."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.cli.search_sessions import search_sessions
from groundlings.experiments.labs.search_sessions import clicks, fitting
from groundlings.experiments.labs.search_sessions.features import (
    OTHERS_OF_PAGE,
    OTHERS_OF_RESULT,
    PAGE_FEATURES,
    RESULT_FEATURES,
    Texts,
    others_of_pages,
    others_of_results,
    page_features,
    pieces,
    result_features,
)
from groundlings.experiments.labs.search_sessions.figures import Predicted, Rows, f1_threshold
from groundlings.experiments.labs.search_sessions.lab import examine_sessions
from groundlings.experiments.labs.search_sessions.log import LoggedPage, SearchLog
from groundlings.experiments.labs.search_sessions.reading import COLUMNS, read_search_log
from groundlings.personas.search.fitted import FittedSearch, read_fitted_search

WARES = ["oat milk", "rye bread", "goat cheese", "plum jam", "green tea", "olive oil"]
ROW = {
    "user": "a", "session": "1", "query_number": "1", "query": "rye", "rank": "1", "title": "rye bread",
    "snippet": "baked", "clicked": "1",
}  # fmt: skip


def made(n_people: int = 12, seed: int = 0) -> list[LoggedPage]:
    """People look for a ware, click results that have its name, mostly at the top, and stop when they found it."""
    chance = np.random.default_rng(seed)
    pages = []
    for person in range(n_people):
        for task, ware in enumerate(WARES[:3]):
            for _ in range(3):
                titles = [f"{WARES[each]} shop {chance.integers(4)}" for each in chance.permutation(6)[:4]]
                odds = [(0.75 if title.startswith(ware) else 0.2) / (1 + rank / 3) for rank, title in enumerate(titles)]
                clicked = tuple(bool(each) for each in chance.random(4) < odds)
                results = tuple((title, f"buy {title} here") for title in titles)
                pages.append(LoggedPage(f"p{person}", f"{task}", f"{task}", ware, results, clicked))
                if any(c and t.startswith(ware) for c, t in zip(clicked, titles, strict=True)):
                    break
    return pages


def table(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_table(pages: list[LoggedPage], path: Path) -> Path:
    log = SearchLog.of(pages)
    rows = [
        {
            "user": page.person, "session": page.session, "query_number": str(log.number[at] + 1), "query": page.query,
            "rank": str(rank), "title": title, "snippet": snippet, "clicked": str(int(click)), "task": page.task,
        }
        for at, page in enumerate(pages)
        for rank, ((title, snippet), click) in enumerate(zip(page.results, page.clicks, strict=True), 1)
    ]  # fmt: skip
    return table(path, rows, (*COLUMNS, "task"))


def as_json(pages: list[LoggedPage], path: Path) -> Path:
    content: dict[str, dict[str, list[object]]] = {}
    for page in pages:
        serp = [
            {"title": title, "snippet": snippet, "click": int(click)}
            for (title, snippet), click in zip(page.results, page.clicks, strict=True)
        ]
        content.setdefault(page.person, {}).setdefault(page.task, []).append({"query": page.query, "SERP": serp})
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_both_forms_are_read_as_the_same_log(tmp_path):
    pages = made(3)
    from_table = read_search_log(as_table(pages, tmp_path / "log.csv"))
    assert from_table.pages == read_search_log(as_json(pages, tmp_path / "log.json")).pages == tuple(pages)
    marked = tmp_path / "LOG.JSON"  # as an editor writes it: a byte order mark, and letters of any case
    marked.write_text((tmp_path / "log.json").read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_search_log(marked).pages == tuple(pages)
    assert from_table.n_people == 3
    assert from_table.last.sum() == 9, "three sessions of each"
    assert from_table.number[from_table.last].max() <= 2


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"clicked": "yes"}, "line 2, clicked: found 'yes'; expected 1 for a click and 0 for none"),
        ({"rank": "2"}, "line 2: found rank '2'; expected 1"),
        ({"query_number": "0"}, "line 2: found query_number '0'; expected 1"),
        ({"user": ""}, "line 2, user: found nothing"),
        ({"session": ""}, "line 2, session: found nothing"),
    ],
)
def test_a_table_that_says_something_impossible_is_refused(tmp_path, changes, complaint):
    with pytest.raises(DataError, match=complaint):
        read_search_log(table(tmp_path / "log.csv", [ROW | changes]))


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match="found no title, snippet; expected user, session"):
        read_search_log(table(tmp_path / "log.csv", [ROW], tuple({*COLUMNS} - {"title", "snippet"})))
    with pytest.raises(DataError, match="another query than in line 2"):
        read_search_log(table(tmp_path / "log.csv", [ROW, ROW | {"rank": "2", "query": "oat"}]))
    with pytest.raises(DataError, match="pages of one session apart"):
        read_search_log(table(tmp_path / "log.csv", [ROW, ROW | {"user": "b"}, ROW]))
    with pytest.raises(DataError, match="found no page with a result"):
        read_search_log(table(tmp_path / "log.csv", []))
    with pytest.raises(DataError, match="name a file of search sessions"):
        read_search_log(tmp_path / "none.csv")
    with pytest.raises(DataError, match="found clicked more than once"):
        read_search_log(table(tmp_path / "log.csv", [ROW], (*COLUMNS, "clicked")))
    below = table(tmp_path / "log.csv", [ROW | {"title": "rye\nbread"}, ROW | {"rank": "2", "clicked": "9"}])
    with pytest.raises(DataError, match="line 4, clicked"):
        read_search_log(below)
    for text in ("{", "[" * 100_000, "9" * 5_000, '{"a": {}, "a": {}}'):
        (tmp_path / "log.json").write_text(text)
        with pytest.raises(DataError, match="is not JSON"):
            read_search_log(tmp_path / "log.json")
    (tmp_path / "log.json").write_text(
        '{"a": {"1": [{"query": "rye", "SERP": [{"title": 3, "snippet": "", "click": 1}]}]}}'
    )
    with pytest.raises(DataError, match="person 'a', task '1', page 1, title: found 3; expected text"):
        read_search_log(tmp_path / "log.json")


def test_texts_are_compared_in_any_language():
    assert pieces("Rye bread, a") == {"ry", "ye", "br", "re", "ea", "ad", "a"}
    assert pieces("\u8c37\u6b4c\u773c\u955c") == {"\u8c37\u6b4c", "\u6b4c\u773c", "\u773c\u955c"}


def test_no_feature_of_a_result_holds_a_click_of_its_own_page_or_of_a_later_one():
    log = SearchLog.of(made(4))
    texts, row = Texts(log), int(np.flatnonzero(log.number == 1)[0])
    changed = log.clicks.copy()
    changed[row:] = ~changed[row:]
    other = SearchLog(
        log.pages, log.people, log.sessions, log.tasks, log.number, log.last, log.documents, changed & log.shown
    )
    assert result_features(log, texts).shape == (*log.documents.shape, len(RESULT_FEATURES))
    assert np.array_equal(result_features(log, texts)[: row + 1], result_features(other, texts)[: row + 1])


def test_what_others_did_leaves_the_person_out():
    log = SearchLog.of(made(4))
    texts, everybody = Texts(log), np.ones(len(log), dtype=np.bool_)
    mine = log.people == 2
    assert np.array_equal(
        others_of_results(log, everybody)[mine][:, :, 1], others_of_results(log, ~mine)[mine][:, :, 1]
    )
    assert others_of_results(log, everybody).shape[2] == len(OTHERS_OF_RESULT)
    assert np.array_equal(others_of_pages(log, texts, everybody)[mine], others_of_pages(log, texts, ~mine)[mine])
    assert page_features(log, texts).shape[1] + others_of_pages(log, texts, everybody).shape[1] == len(
        PAGE_FEATURES
    ) + len(OTHERS_OF_PAGE)


def test_figures_by_hand():
    happened, people = np.array([True, False, True, False]), np.array([0, 0, 1, 1])
    found = Rows(happened, people, 0).figures(
        Predicted(np.array([True, True, False, False]), np.array([0.9, 0.6, 0.5, 0.1]))
    )
    assert found["f1"].value == 0.5
    assert found["accuracy"].value == 0.5
    assert found["auc"].value == 0.75
    assert found["log_loss"].value == pytest.approx(-np.log([0.9, 0.4, 0.5, 0.9]).mean())
    assert found["f1"].low <= 0.5 <= found["f1"].high
    assert f1_threshold(np.array([0.9, 0.6, 0.5, 0.1]), happened) == pytest.approx(0.4), (
        "half of the F1 of the first three"
    )


@pytest.fixture(scope="module")
def examined(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(clicks, "STEPS", 3)
    patch.setattr(fitting, "STEPS", 3)
    patch.setattr(fitting, "RESAMPLES", 10)
    yield examine_sessions(as_table(made(), tmp_path_factory.mktemp("search") / "log.csv"), folds=2)
    patch.undo()


@pytest.fixture(scope="module")
def findings(examined):
    return examined.findings


def test_titles_that_hold_the_query_are_found_to_be_clicked(findings):
    rows = {row.name: row for row in findings.click_rows}
    for name in ("logistic", "position based, features", "bayesian, features"):
        gain = rows[name].figures["auc_gain"]
        assert gain.low is not None
        assert gain.low > 0, f"{name} does not beat the rank"
        assert rows[name].perplexity < rows["rank only"].perplexity
    assert rows["everything"].perplexity is None
    assert "auc" not in rows["everything"].figures
    assert rows["everything"].figures["accuracy"].value == pytest.approx(findings.clicks / findings.results)


def test_people_who_found_it_are_found_to_stop(findings):
    rows = {row.name: row for row in findings.stop_rows}
    assert rows["always stop"].figures["accuracy"].value == pytest.approx(findings.stops)
    assert rows["logistic"].figures["auc"].value > 0.6


def test_simulated_rates_stand_beside_the_floor_of_real_people(findings):
    rates = {row.name: row for row in findings.rates}
    assert findings.floor.distance <= findings.floor.distance_95
    assert rates["cascade"].clicks_per_page <= 1, "a cascade has one click on a page at most"
    assert rates["rank only"].clicks_per_page == pytest.approx(findings.clicks / findings.pages, abs=0.3)
    assert all(row.within == (row.halves <= findings.floor.distance_95) for row in findings.rates)


def test_simulated_sessions_stand_beside_those_of_people_left_out(findings):
    figures = {(row.name, row.by): row for row in findings.simulated.figures}
    assert {by for _, by in figures} == {"fitted", "stated"}
    for row in figures.values():
        assert row.within == (row.halves <= row.floor_95)
    queries = figures["queries per session", "fitted"]
    assert queries.real == (pytest.approx(findings.pages / (findings.pages * findings.stops)),)
    assert queries.distance == pytest.approx(abs(queries.simulated[0] - queries.real[0]))
    assert sum(figures["sessions by queries", "fitted"].simulated) == pytest.approx(1)
    assert findings.simulated.cut == {"fitted": 0, "stated": 0}


def test_what_was_fitted_is_read_back_and_says_what_the_log_holds(examined, findings):
    fitted = examined.fitted()
    assert FittedSearch.model_validate_json(fitted.as_text()) == fitted
    assert fitted.fitted_on.people == findings.people
    assert fitted.fitted_on.sha256 == hashlib.sha256(examined.path.read_bytes()).hexdigest()
    # Everybody asks for the same on each page of a session, so who goes on turns the page.
    assert fitted.reformulation.value < 0.1
    assert fitted.reformulation.low <= fitted.reformulation.value <= fitted.reformulation.high
    assert fitted.stop["clicks"].value > 0, "people stop when they found it"
    assert fitted.level.low <= fitted.level.value <= fitted.level.high
    assert fitted.simulated.keys() == {row.name for row in findings.simulated.figures}


def test_the_command_prints_and_writes(examined, tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.labs.search_sessions.lab.examine_sessions", lambda *_: examined)
    alone = typer.Typer()
    alone.command()(search_sessions)
    files = ["--json", str(tmp_path / "f.json"), "--out", str(tmp_path / "fitted.json")]
    outcome = CliRunner().invoke(alone, ["log.csv", *files], env={"COLUMNS": "200"})
    assert outcome.exit_code == 0, outcome.output
    assert "USimAgent (gpt-4o-mini), 40 people" in outcome.output
    assert "target 0.77" in outcome.output
    assert json.loads((tmp_path / "f.json").read_text())["people"] == 12
    assert read_fitted_search(tmp_path / "fitted.json").fitted_on.people == 12
    with pytest.raises(ConfigError, match="is there already, and is no file of fitted search"):
        search_sessions(Path("log.csv"), out=tmp_path / "f.json")


def test_a_log_from_which_nobody_can_be_left_out_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="found 3 people; expected at least 6"):
        examine_sessions(as_table(made(3), tmp_path / "log.csv"))
    with pytest.raises(ConfigError, match="folds: found 13; expected 2 to 12"):
        examine_sessions(as_table(made(), tmp_path / "log.csv"), folds=13)
    with pytest.raises(ConfigError, match="seed: found -1; expected 0"):
        examine_sessions(as_table(made(), tmp_path / "log.csv"), seed=-1)
    short = [LoggedPage(p.person, p.session, p.task, p.query, p.results[:1], p.clicks[:1]) for p in made()]
    with pytest.raises(ConfigError, match="found no page with two results"):
        examine_sessions(as_table(short, tmp_path / "log.csv"))
    pages = [LoggedPage(p.person, p.session, p.task, p.query, p.results, (False,) * 4) for p in made()]
    with pytest.raises(ConfigError, match="found 0% of results clicked"):
        examine_sessions(as_table(pages, tmp_path / "log.csv"))


def test_the_code_of_the_page_runs():
    page = (Path(__file__).parents[4] / "docs" / "search.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    known: dict[str, object] = {}
    exec(code, known)
    assert known["model"].click_probabilities(known["pages"]).shape == (2, 3)


@pytest.mark.parametrize("option", ["--json", "--out"])
def test_where_nothing_can_be_written_is_said_before_anything_is_read(tmp_path, option):
    alone = typer.Typer()
    alone.command()(search_sessions)
    place = str(tmp_path / "nowhere" / "file.json")
    refused = CliRunner().invoke(alone, [str(tmp_path / "no log.json"), option, place]).exception
    assert isinstance(refused, ConfigError)
    assert str(refused).startswith(f"{option}: there is no directory {tmp_path / 'nowhere'}")

"""In a browser: a dot opens its user, arms are switched, segments are chosen, anybody else comes from the server."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.people.spread import MOST_DOTS
from groundlings.experiments.analysis.report import write_report
from groundlings.experiments.analysis.report.sections import people
from groundlings.experiments.analysis.report.stories import fragment
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

AGENTS = 130


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, leave_pictures_blank: Callable[[pytest.MonkeyPatch], None]) -> Path:
    """A finished run with its report, whose pictures nobody here looks at."""
    directory = tmp_path_factory.mktemp("served")
    config = {
        "name": "served", "seed": 5, "simulation": {"days": 2}, "metrics": ["likes_per_session"],
        "dataset": {"name": "toy", "toy": {"n_users": AGENTS, "n_items": 60, "interactions_per_user": 8}},
        "mind": {"kind": "behavioural", "random_click_rate": 0.2}, "site": {"page_size": 4, "max_pages": 3},
        "arms": [{"name": arm, "recommender": arm} for arm in ("popular", "random_order", "item_knn")],
    }  # fmt: skip
    log_experiment(ExperimentConfig.model_validate(config), directory / LOG_NAME)
    with LogReader(directory) as log, pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        write_report(directory, log, summarise(log))
    return directory


@pytest.fixture
def address(run: Path) -> Iterator[str]:
    """Where the report is served, with its people."""
    page = (run / "report.html").read_text(encoding="utf-8")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, content = 404, "nothing here"
            if parts.path == "/report.html":
                status, content = 200, page
            elif parts.path.startswith("/people/"):
                day = parse_qs(parts.query).get("day", [None])[0]
                try:
                    with LogReader(run) as log:
                        status, content = 200, fragment(log, parts.path.removeprefix("/people/"), day)
                except ConfigError as fault:
                    content = str(fault)
            body = content.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/report.html"
    server.shutdown()
    server.server_close()
    thread.join()


def shown(page, selector: str) -> list[bool]:
    return page.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.checkVisibility())")


@pytest.fixture
def page(browser, address):
    opened = browser.open(address)
    yield opened
    assert opened.complaints == []
    opened.close()


def test_arms_are_switched_by_mouse_and_by_keyboard(page):
    panels = ".guest[open] .person:not([hidden]) .arm-day"
    assert shown(page, panels) == [True, False, False]
    page.click(".guest[open] [role=tab]:nth-child(2)")
    assert shown(page, panels) == [False, True, False]
    page.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))")
    assert shown(page, panels) == [False, False, True]
    assert page.run("document.activeElement.getAttribute('aria-selected')") == "true"


def test_a_dot_opens_its_user_with_the_arm_that_was_chosen_and_days_are_switched(page):
    page.click(".guest[open] [role=tab]:nth-child(2)")
    agent = page.run("document.querySelectorAll('.guest')[3].dataset.agent")
    page.run(f"document.querySelector('.user-dot[data-agent=\"{agent}\"]').click()")
    assert page.run("document.querySelectorAll('.guest')[3].open")
    fold = f".guest[data-agent='{agent}']"
    assert shown(page, f"{fold} > .person") == [True, False]
    page.click(f"{fold} .person:not([hidden]) .days a")
    assert shown(page, f"{fold} > .person") == [False, True]
    assert shown(page, f"{fold} .person:not([hidden]) .arm-day") == [False, True, False]


def test_anybody_else_and_any_day_come_from_the_server(page):
    other = page.run(
        "(() => { const held = new Set([...document.querySelectorAll('.guest')].map(e => e.dataset.agent));"
        "const dot = [...document.querySelectorAll('.user-dot')].find(e => !held.has(e.dataset.agent));"
        "dot.click(); return dot.dataset.agent; })()"
    )
    page.wait(f"!!document.querySelector('.opened-user .person[data-agent=\"{other}\"] [role=tab]')")
    page.run(f"document.querySelector('#people-open [name=agent]').value = '{other}'")
    page.run("document.querySelector('#people-open [name=day]').value = '2'")
    page.click("#people-open button")
    page.wait("document.querySelector('.opened-user .person')?.dataset.day === '2'")
    assert all(asked.startswith("http://127.0.0.1:") for asked in page.requests)


def test_segments_of_one_attribute_or_two_are_chosen(page):
    visible = "[...document.querySelectorAll('.heat-part')].filter(e => e.checkVisibility()).map(e => e.dataset.names)"
    change = "document.querySelectorAll('.chooser select')[{}]"
    for number, name in enumerate(("conformity", "gender")):
        page.run(f"{change.format(number)}.value = '{name}'")
        page.run(f"{change.format(number)}.dispatchEvent(new Event('change'))")
    assert page.run(visible) == ["conformity|gender"]
    page.run(f"{change.format(1)}.value = ''")
    page.run(f"{change.format(1)}.dispatchEvent(new Event('change'))")
    assert page.run(visible) == ["conformity"]


VISIBLE = "[...document.querySelectorAll('.user-dot')].filter(e => e.checkVisibility()).map(e => e.dataset.agent)"


def test_a_cell_leaves_the_dots_of_its_segment_and_all_come_back(page):
    every = page.run(VISIBLE)
    cell = ".heat-part:not([hidden]) tbody tr:nth-child({}) .cell:nth-last-child(1) button"
    page.click(cell.format(2))
    wanted = page.run(
        "(() => { const parts = [...document.querySelectorAll('.heat-part')];"
        "const here = parts.findIndex(e => !e.hidden);"
        "return [...document.querySelectorAll('.user-dot')]"
        ".filter(e => e.dataset.rows.split(' ')[here] === '0').map(e => e.dataset.agent); })()"
    )
    assert page.run(VISIBLE) == wanted
    assert 0 < len(wanted) < len(every)
    segment = page.run("document.querySelector('.heat-part:not([hidden])').dataset.names")
    said = page.run("document.querySelector('.dots-of').innerText")
    assert said.startswith(f"Only users with {segment} ")
    assert "dots of item_knn" in said
    assert page.run("document.querySelectorAll('.pick[aria-pressed=true]').length") == 1
    page.click(".dots-of a")
    assert page.run(VISIBLE) == every
    page.click(cell.format(2))
    page.click(cell.format(2))
    assert page.run(VISIBLE) == every, "the same cell again shows all"


def test_cells_are_reached_by_keys_and_dots_that_are_hidden_are_passed_over(page):
    press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
    tabbed = "[...document.querySelectorAll('.heat-part:not([hidden]) .pick')].filter(e => e.tabIndex === 0).length"
    assert page.run(tabbed) == 1
    page.run("document.querySelector('.heat-part:not([hidden]) .pick').focus()")
    page.run(press.format("ArrowDown"))
    assert "Show these users alone" in page.run("document.activeElement.getAttribute('aria-label')")
    page.run("document.activeElement.click()")
    left = len(page.run(VISIBLE))
    strip = "[...document.querySelectorAll('.dots')][0].querySelectorAll('.user-dot:not([hidden])')"
    assert page.run(f"{strip}[0].tabIndex") == 0
    page.run(f"{strip}[0].focus()")
    page.run(press.format("ArrowRight"))
    assert page.run(f"document.activeElement === {strip}[1]")
    page.run("document.querySelector('.heat-part:not([hidden]) .everybody .pick').click()")
    assert left < len(page.run(VISIBLE)) == 2 * MOST_DOTS


def test_a_file_says_how_anybody_else_is_opened(browser, run):
    page = browser.open(run / "report.html")
    page.run("document.querySelector('.user-dot[href=\"#people-open\"]').click()")
    assert page.run("document.querySelector('.opened-user').textContent").endswith("is not in this file.")
    assert "groundlings ui DIR" in page.run("document.querySelector('#people-open').innerText")
    page.close()


def test_without_a_script_all_arms_days_and_segments_are_there_to_read(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    people = page[page.index('id="people"') : page.index('id="time"')]
    assert len(re.findall(r'class="arm-day"', people)) >= 12 * 3
    assert "hidden" not in " ".join(re.findall(r"<(?:section|article|details)[^>]*>", people))
    assert len(re.findall(r'<a class="user-dot', page)) == 2 * MOST_DOTS, "of two arms"
    targets = set(re.findall(r'<a class="user-dot[^>]*href="#([^"]+)"', page))
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert targets <= ids
    assert 'title="user ' in page


def test_a_report_holds_so_much_of_people_and_says_what_it_left_out(run, tmp_path, monkeypatch, blank_pictures):
    monkeypatch.setattr(people, "MOST_CHARACTERS", 40_000)
    shutil.copy(run / LOG_NAME, tmp_path)
    with LogReader(tmp_path) as log:
        page = write_report(tmp_path, log, summarise(log)).read_text(encoding="utf-8")
    stories = page[page.index('<section id="people"') : page.index('<section id="time"')]
    assert len("".join(re.findall(r"<article.*?</article>", stories, re.DOTALL))) <= 40_000
    kept = len(re.findall('<details class="guest"', stories))
    assert 0 < kept < 12
    assert f"{12 - kept} more users of this choice did not fit into this file." in stories

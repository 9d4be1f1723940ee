"""In a browser: a dot opens its user, arms are switched, segments are chosen, anybody else comes from the server."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.people.spread import MOST_DOTS
from groundlings.experiments.analysis.report import write_report
from groundlings.experiments.analysis.report.stories import fragment
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AGENTS = 130

DRIVER = """
(async () => {
  const told = {};
  const seen = (element) => !!element && element.offsetParent !== null;
  const wait = async (ready) => { for (let n = 0; n < 100 && !ready(); n++) await new Promise((done) => setTimeout(done, 50)); };
  const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  try {
    const fold = document.querySelector(".guest");
    const tabs = [...fold.querySelector(".person").querySelectorAll("[role=tab]")];
    const panel = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
    told.before = tabs.map((tab) => seen(panel(tab)));
    tabs[1].click();
    told.switched = tabs.map((tab) => seen(panel(tab)));
    press(tabs[1], "ArrowLeft");
    told.back = [document.activeElement === tabs[0], seen(panel(tabs[0]))];

    const inside = document.querySelectorAll(".guest")[3];
    const dot = document.querySelector(`.user-dot[data-agent="${inside.dataset.agent}"]`);
    dot.click();
    told.opened = [inside.open, seen(inside.querySelector(".person"))];
    const days = inside.querySelectorAll(".person");
    days[0].querySelector(".days a:last-of-type").click();
    told.day = [seen(days[0]), seen(days[1]), days[1].dataset.day];

    const held = new Set([...document.querySelectorAll(".guest")].map((each) => each.dataset.agent));
    const other = [...document.querySelectorAll(".user-dot")].find((each) => !held.has(each.dataset.agent));
    other.click();
    const box = document.querySelector(".opened-user");
    await wait(() => box.querySelector(".person [role=tab]"));
    told.other = [box.querySelector(".person").dataset.agent === other.dataset.agent, box.querySelectorAll("[role=tab]").length];
    const form = document.querySelector("#people-open form");
    told.form = seen(form);
    form.elements.agent.value = other.dataset.agent;
    form.elements.day.value = "2";
    form.requestSubmit();
    await wait(() => box.querySelector('.person[data-day="2"]'));
    told.second = box.querySelector(".person").dataset.day;

    const selects = document.querySelectorAll(".chooser select");
    const shown = () => [...document.querySelectorAll(".heat-part")].filter(seen).map((each) => each.dataset.names);
    selects[0].value = "conformity";
    selects[0].dispatchEvent(new Event("change"));
    told.single = shown();
    selects[1].value = "gender";
    selects[1].dispatchEvent(new Event("change"));
    told.both = shown().map((names) => names.split("|").sort());
  } catch (fault) { told.fault = String(fault); }
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
})();
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its report."""
    directory = tmp_path_factory.mktemp("served")
    config = {
        "name": "served", "seed": 5, "simulation": {"days": 2}, "metrics": ["likes_per_session"],
        "dataset": {"name": "toy", "toy": {"n_users": AGENTS, "n_items": 60, "interactions_per_user": 8}},
        "mind": {"kind": "behavioural", "random_click_rate": 0.2}, "site": {"page_size": 4, "max_pages": 3},
        "arms": [{"name": arm, "recommender": arm} for arm in ("popular", "random_order", "item_knn")],
    }  # fmt: skip
    log_experiment(ExperimentConfig.model_validate(config), directory / LOG_NAME)
    with LogReader(directory) as log:
        write_report(directory, log, summarise(log))
    return directory


@pytest.fixture
def address(run: Path) -> Iterator[str]:
    """Where the report is served with its people; the page drives itself, under its own policy."""
    page = (run / "report.html").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode()
    policed = page.replace("script-src 'sha256-", f"script-src 'sha256-{digest}' 'sha256-", 1)
    escaped = page.replace("script-src &#39;sha256-", f"script-src &#39;sha256-{digest}&#39; &#39;sha256-", 1)
    driven = (policed if policed != page else escaped).replace("</body>", f"<script>{DRIVER}</script></body>")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, content = 404, "nothing here"
            if parts.path == "/report.html":
                status, content = 200, driven
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


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_user_is_opened_arms_are_switched_and_segments_chosen(address: str, tmp_path: Path) -> None:
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
        "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-500:]
    told = json.loads(unescape(found[1]))
    assert told == {
        "before": [True, False, False], "switched": [False, True, False], "back": [True, True],
        "opened": [True, True], "day": [False, True, "2"], "other": [True, 3], "form": True, "second": "2",
        "single": ["conformity"], "both": [["conformity", "gender"]],
    }  # fmt: skip


def test_without_a_script_all_arms_days_and_segments_are_there_to_read(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    people = page[page.index('id="people"') : page.index('id="time"')]
    assert len(re.findall(r'class="arm-day"', people)) >= 12 * 3
    assert "hidden" not in " ".join(re.findall(r"<(?:section|article|details)[^>]*>", people))
    assert len(re.findall(r'<a class="user-dot', page)) == 2 * MOST_DOTS, "of two arms"
    targets = set(re.findall(r'<a class="user-dot[^>]*href="#([^"]+)"', page))
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert targets <= ids
    assert 'title="user ' in page

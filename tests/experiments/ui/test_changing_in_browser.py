"""Forms of the web app in Chromium, which says where a form comes from: the live page of a run at work, and SQL."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import AsyncExitStack

from groundlings.experiments.analysis.answer.file import sealed
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import SessionsWritten
from groundlings.experiments.running.live_requests import REQUESTS_NAME, LiveRequests
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.log.reader import LogReader

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12}},
    "simulation": {"days": 2},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "random", "recommender": "random_order"}],
}


IMPATIENT = "const later = setTimeout; window.setTimeout = (work) => later(work, 50);"
"""A page that looks again at once."""


class AtWork:
    """Calls back once, when the first day of the first arm is written; the run waits meanwhile."""

    def __init__(self, look):
        self.look = look

    def event(self, event):
        if isinstance(event, SessionsWritten) and self.look is not None:
            look, self.look = self.look, None
            look()


def test_a_form_that_is_filled_in_on_the_live_page_changes_the_run(tmp_path, serve, browser, axe) -> None:
    directory = tmp_path / "runs" / "watched"
    directory.mkdir(parents=True)

    def fill_in():
        address = f"http://127.0.0.1:{site.port}{site.key('watched')}/live"
        for width, height, dark in ((1400, 900, False), (390, 844, True)):
            page = browser.open(address, width, height, dark=dark)
            assert page.violations(axe) == []
            page.run("document.querySelector('.changing').open = true")
            assert page.run("document.documentElement.scrollWidth") <= width
            page.close()
        page = browser.open(address)
        page.click(".changing summary")
        page.click("#value")
        page.type("i1, i2")
        page.click("input[name=arm][value=random]")
        page.run("window.confirm = (asked) => { window.asked = asked; return false; }")
        page.click(".change button")
        assert "not as it was declared" in page.run("window.asked")
        assert not (directory / REQUESTS_NAME).exists(), "whoever says no has asked for nothing"
        page.run("window.confirm = () => true")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=IMPATIENT)
        page.click(".change button")
        page.wait("window.asked === undefined && document.readyState === 'complete'")
        assert (directory / REQUESTS_NAME).exists(), page.run("document.body.innerText")
        assert page.run("location.href") == address
        assert page.complaints == []
        page.wait("document.getElementById('lost')?.hidden")
        directory.rename(tmp_path / "elsewhere")
        page.wait("document.getElementById('lost')?.innerText.includes('moved or deleted')")
        (tmp_path / "elsewhere").rename(directory)
        page.wait("document.getElementById('lost')?.hidden && !document.querySelector('.stale')")
        page.close()

    async def whole():
        async with AsyncExitStack() as stack:
            plan, told = await prepare(ExperimentConfig.model_validate(SMALL), stack), AtWork(fill_in)
            requests = LiveRequests(directory, plan, told)
            await simulate(plan, run_row(plan), directory / "log.db", told, requests=requests)

    with serve(tmp_path / "runs") as site:
        asyncio.run(whole())
    with LogReader(directory) as log:
        (change,) = log.logged_interventions()
        assert (change.arm, change.day, change.kind, change.origin) == ("popular", 1, "withdraw", "live")
        assert list(change.detail["items"]) == ["i1", "i2"]
        rows = log.impressions()
    later = rows[(rows.arm == "popular") & (rows.day == 1)]
    assert len(later)
    assert not later.item_id.isin(["i1", "i2"]).any()


def test_a_query_that_is_asked_in_a_browser_is_answered(site, browser, axe) -> None:
    page = browser.open(f"http://127.0.0.1:{site.port}{site.key('one')}/sql", 390, 844)
    page.run("document.getElementById('query').value = 'SELECT name FROM arms ORDER BY name'")
    page.click("main form button")
    page.wait("document.readyState === 'complete' && document.getElementById('answer') !== null")
    assert "chance" in page.run("document.getElementById('answer').innerText")
    assert page.violations(axe) == []
    assert page.complaints == []
    page.close()


def test_figures_with_units_are_sorted_by_size_and_absent_ones_stand_last(site, browser) -> None:
    page = browser.open(f"http://127.0.0.1:{site.port}{site.key('one')}/sql")
    values = ("'9 s'", "NULL", "'10 s'", "'+1,200 % [+1, +9]'", "'pears'", "' apples'", "'\N{MINUS SIGN}3'")
    query = " UNION ALL ".join(f"SELECT {value} AS took" for value in values)
    page.run(f"document.getElementById('query').value = {json.dumps(query)}")
    page.click("main form button")
    page.wait("document.readyState === 'complete' && document.getElementById('answer') !== null")
    cells = "[...document.querySelectorAll('#answer tbody td')].map((cell) => cell.textContent)"
    rising = ["\N{MINUS SIGN}3", "9 s", "10 s", "+1,200 % [+1, +9]", " apples", "pears"]
    page.click("#answer thead button")
    assert page.run(cells) == [*rising, "NULL"]
    page.click("#answer thead button")
    assert page.run(cells) == [*reversed(rising), "NULL"]
    page.run(
        "URL.createObjectURL = (content) => { content.text().then((text) => { window.saved = text; }); return '#'; }"
    )
    page.click("[data-csv]")
    page.wait("window.saved !== undefined")
    saved = page.run("window.saved").split("\r\n")
    assert [saved[0], saved[2], saved[-1]] == ['"took"', '" apples"', ""], "NULL is no text, and spaces stay"
    page.close()


def test_a_name_without_an_end_makes_no_page_scroll_sideways(small_run, tmp_path, serve, browser) -> None:
    for run in ("one", "two"):
        shutil.copytree(small_run, tmp_path / run)
        answer = {"question": "q" * 200, "sentence": "s" * 200, "winner": "w" * 200}
        (tmp_path / run / "answer.json").write_text(json.dumps(sealed(tmp_path / run, answer)))
        with sqlite3.connect(tmp_path / run / "log.db") as log:
            log.execute("UPDATE arms SET name = name || hex(zeroblob(100))")
    with serve(tmp_path) as site:
        one, two = site.key("one"), site.key("two")
        both = f"/compare?run={one.removeprefix('/runs/')}&run={two.removeprefix('/runs/')}"
        for path in ("/", f"{one}/live", f"{one}/people/1?whole=1", both):
            for width in (390, 1400):
                page = browser.open(f"http://127.0.0.1:{site.port}{path}", width)
                assert page.run("document.documentElement.scrollWidth") <= width, path
                page.close()

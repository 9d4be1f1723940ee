"""The report as a reader has it: in Chromium, with mouse and keyboard, on a phone, on paper, without script."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report import write_report
from groundlings.simulator.log.reader import LogReader

DESKTOP, PHONE = (1400, 900), (390, 844)


@pytest.fixture(scope="module")
def report(small_run, tmp_path_factory, leave_out_sheets) -> Path:
    copy = tmp_path_factory.mktemp("read")
    shutil.copy(small_run / "log.db", copy)
    (copy / "manifest.json").write_text(json.dumps({"digest": "d" * 64}))
    part = {"part": "system", "task": "order of 3 recommenders", "kind": "mind", "scorer": "m", "unit": "pairs"}
    sign = {**part, "metric": "sign agreement", "value": 0.8, "low": 0.7, "high": 0.9, "n": 9, "target": {"low": 0.9}}
    (copy / "fidelity.json").write_text(json.dumps({"system_gate_passed": False, "records": [sign]}))
    with LogReader(copy) as log, pytest.MonkeyPatch.context() as patched:
        leave_out_sheets(patched)
        return write_report(copy, log, summarise(log))


@pytest.fixture
def page(browser, report):
    opened = browser.open(report, *DESKTOP)
    yield opened
    opened.close()


def test_nothing_is_asked_for_but_the_page_and_nothing_is_complained_of(page, report):
    assert page.requests == [report.as_uri()]
    assert page.complaints == []


def test_a_script_that_is_not_of_the_page_is_refused(page):
    page.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.foreign = 1'}))")
    assert page.run("window.foreign === undefined")
    assert any("Content Security Policy" in said for said in page.complaints)


def test_a_picture_ends_below_the_last_of_what_it_is_to_show(page):
    with Image.open(io.BytesIO(page.picture_down_to(".ranking, .beside-table", 1280))) as shown:
        assert shown.width == 1280
        assert 300 < shown.height < page.run("document.querySelector('#why').getBoundingClientRect().top")


def column(page, number: int) -> list[float]:
    values = page.run(
        f"[...document.querySelectorAll('table.results tbody tr')].map(row => row.cells[{number}].dataset.value)"
    )
    return [float(value) for value in values]


def test_headings_sort_by_mouse_and_by_keyboard(page):
    assert column(page, 1) != sorted(column(page, 1), reverse=True)
    page.click("table.results thead th:nth-child(2) .tool")
    assert column(page, 1) == sorted(column(page, 1), reverse=True)
    assert page.run("document.querySelector('table.results thead th:nth-child(2)').ariaSort") == "descending"
    page.run("document.querySelector('table.results thead th:nth-child(2) .tool').focus()")
    page.press("Enter")
    assert column(page, 1) == sorted(column(page, 1))
    page.click("table.results thead th:nth-child(3) .tool")
    assert page.run("document.querySelector('table.results thead th:nth-child(2)').ariaSort") is None


def test_rows_and_columns_can_be_left_out(page):
    page.run("document.querySelector('input[type=search]').focus()")
    page.type("AGAIN")
    shown = "[...document.querySelectorAll('table.results tbody tr')].filter(row => row.checkVisibility()).length"
    assert page.run(shown) == 1
    page.click(".tools details summary")
    page.click(".choices input")
    assert page.run("document.querySelector('table.results thead th:nth-child(2)').checkVisibility()") is False


def test_contents_stand_beside_the_page_and_lead_to_every_section(page):
    assert page.run("document.querySelector('.contents .beside').checkVisibility()")
    assert not page.run("document.querySelector('.contents .folded').checkVisibility()")
    targets = page.run("[...document.querySelectorAll('.contents .beside a')].map(a => a.hash.slice(1))")
    assert targets == page.run("[...document.querySelectorAll('main > section[id]:not(#about)')].map(part => part.id)")
    page.click(".contents .beside a[href='#believe']")
    assert page.run("location.hash") == "#believe"
    page.wait("Math.abs(document.getElementById('believe').getBoundingClientRect().top) < 60")


def test_headings_have_links_to_themselves(page):
    assert page.run(
        "[...document.querySelectorAll('main h2[id]')].every(h => h.querySelector('.permalink').hash === '#' + h.id)"
    )


def test_a_definition_opens_by_keyboard_and_by_resting_and_closes(page):
    opened = "document.querySelector('.definition:popover-open')?.textContent ?? ''"
    page.run("document.querySelector('table.results .term').focus()")
    page.press("Enter")
    page.wait(f"({opened}).includes('impressions')")
    page.press("Escape")
    page.wait(f"({opened}) === ''")
    page.hover("table.results thead th:nth-child(3) .term")
    page.wait(f"({opened}).includes('Likes')")
    assert page.run(
        "(() => { const t = document.querySelector('table.results .term');"
        "return document.getElementById(t.getAttribute('aria-describedby')).textContent.length > 20; })()"
    ), "who cannot see hears the same"


def chosen(page) -> dict[str, str]:
    rows = page.run(
        "[...document.querySelectorAll('.chosen tbody tr')].map("
        "row => [row.cells[0].innerText, row.cells[2].innerText])"
    )
    return {name.strip(): said.strip() for name, said in rows}


def choose(page, select: str, value: str) -> None:
    page.run(
        f"(() => {{ const s = document.getElementById('{select}'); s.value = '{value}';"
        "s.dispatchEvent(new Event('change')); })()"
    )


def test_metric_and_baseline_are_chosen(page):
    choose(page, "choose-metric", "2")
    forth = chosen(page)
    assert forth["chance"] == "compared with"
    choose(page, "choose-baseline", "3")
    back = chosen(page)
    assert back["best"] == "compared with"
    assert back["chance"].replace("\N{MINUS SIGN}", "+") == forth["best"]


@pytest.fixture
def downloads(browser, tmp_path) -> Path:
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    return tmp_path


def arrived(folder: Path, ending: str) -> bytes:
    until = time.monotonic() + 30
    while not (found := list(folder.glob(f"*{ending}"))):
        assert time.monotonic() < until, f"no {ending} came"
        time.sleep(0.05)
    return found[0].read_bytes()


def test_a_table_is_saved_with_its_figures_and_no_formulas(page, downloads):
    page.run("document.querySelector('table.results tbody th').dataset.value = '=1+1'")
    page.click("#results > .tools .tool")
    rows = list(csv.reader(io.StringIO(arrived(downloads, ".csv").decode("utf-8-sig"))))
    assert rows[0][:4] == ["Arm", "Click-through rate", "Click-through rate low", "Click-through rate high"]
    assert rows[1][0] == "'=1+1", "a spreadsheet takes no name for a formula"
    assert [float(row[1]) for row in rows[1:]] == column(page, 1)
    assert all(float(row[2]) <= float(row[1]) <= float(row[3]) for row in rows[1:])


def test_a_figure_is_saved_as_svg_and_png(page, downloads):
    page.click("#time .panel .tool:nth-child(1)")
    drawing = arrived(downloads, ".svg").decode()
    assert "var(" not in drawing, "colours are written out: no page is around it"
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    page.click("#time .panel .tool:nth-child(2)")
    assert arrived(downloads, ".png").startswith(b"\x89PNG")


def test_values_of_a_figure_are_shown_under_the_pointer(page):
    page.hover("#time .panel use:has(title)")
    page.wait("!document.querySelector('.tip').hidden")
    said = page.run("document.querySelector('.tip').textContent")
    assert said.startswith(("good & <new>, day 1: ", "again, day 1: "))


def test_a_sentence_is_copied(page):
    page.run("document.querySelector('[data-copy] .tool').scrollIntoView()")
    page.click("[data-copy] .tool")
    page.wait("document.querySelector('[data-copy] .tool').textContent === 'Copied'")


def test_without_script_everything_is_there_to_read(browser, report):
    page = browser.open("about:blank")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.navigate", url=report.as_uri())
    page.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
    assert page.run("document.querySelectorAll('.tool').length") == 0
    assert page.run("document.querySelectorAll('table.results tbody tr').length") == 4
    assert page.run("document.querySelector('.choose').checkVisibility()") is False
    assert page.run("[...document.querySelectorAll('.contents .beside a')].length") > 5
    page.close()


def too_wide(page) -> list[str]:
    return page.run(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide, .sessions, svg, pre, [popover]')"
        " && !e.closest('.hidden') && e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)"
        ".slice(0, 5).map(e => e.outerHTML.slice(0, 120))"
    )


def test_on_a_phone_nothing_is_cut_and_contents_are_folded(browser, report):
    page = browser.open(report, *PHONE)
    page.resize(*PHONE, phone=True)
    page.run("document.querySelectorAll('main details').forEach(part => { part.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= PHONE[0]
    assert too_wide(page) == []
    assert page.run("document.querySelector('.contents .folded').checkVisibility()")
    assert not page.run("document.querySelector('.contents .beside').checkVisibility()")
    page.click(".contents .folded summary")
    page.click(".contents .folded a[href='#time']")
    assert page.run("location.hash") == "#time"
    assert not page.run("document.querySelector('.contents .folded').open"), "the list folds away again"
    scrolling = (
        "[...document.querySelectorAll('#results .wide, #details .wide')]"
        ".filter(box => box.scrollWidth > box.clientWidth + 1).length"
    )
    assert page.run(scrolling) == 0, "tables are cards there, and no number is cut"
    choices = page.run("[...document.querySelectorAll('#results .narrow option')].length")
    assert choices > 3, "where headings are hidden, a list sorts"
    page.close()


def test_on_paper_nothing_is_cut(page):
    assert page.cut_on_paper() == []
    arms = "[...document.querySelectorAll('table.results tbody th')].filter(cell => cell.checkVisibility()).length"
    assert page.run(arms) == 4
    assert page.run("[...document.querySelectorAll('.tool, .contents, .tools')].every(e => !e.checkVisibility())")
    assert page.run("document.querySelector('.on-paper').checkVisibility()"), "what paper leaves out is said there"
    assert page.pages_on_paper() <= 3


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop-light", "phone-dark"])
def test_axe_finds_no_violation(browser, report, axe, size, dark):
    page = browser.open(report, *size, dark=dark)
    assert page.violations(axe) == []
    page.close()

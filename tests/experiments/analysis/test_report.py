from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sqlite3
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from groundlings.experiments.analysis.metrics import METRICS, summarise
from groundlings.experiments.analysis.report import render_summary_table, write_report
from groundlings.experiments.analysis.report.formatting import opening, share, signed, verdict
from groundlings.experiments.analysis.report.palette import DARK, LIGHT, styles
from groundlings.simulator.log.manifest_seal import with_seal
from groundlings.simulator.log.reader import LogReader


class Reader(HTMLParser):
    """What a browser would find: tags with their attributes, ids, links and the text."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def run(small_run, tmp_path_factory) -> Path:
    copy = tmp_path_factory.mktemp("report")
    shutil.copy(small_run / "log.db", copy)
    (copy / "manifest.json").write_text(json.dumps({"digest": "d" * 64, "seconds": {"simulate": 1.25}}))
    log = LogReader(copy)
    assert write_report(copy, log, summarise(log)) == copy / "report.html"
    log.close()
    return copy


@pytest.fixture(scope="module")
def page(run) -> Reader:
    return Reader((run / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def summary(small_log):
    return summarise(small_log)


def test_the_page_is_well_formed_and_runs_its_own_script_alone(page, run):
    assert not page.open
    assert [found for found in page.all("script") if found.get("type") != "application/json"] == [{}]
    source = (run / "report.html").read_text(encoding="utf-8")
    script = source[source.index("<script>") + len("<script>") : source.rindex("</script>")]
    assert len(script.encode()) <= 40_000
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [found["content"] for found in page.all("meta") if "http-equiv" in found]
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == f"'sha256-{digest}'"
    assert allowed["connect-src"] == "'self'"
    assert not page.all("img")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_the_page_asks_the_network_for_nothing(page, run):
    links = [value for _, found in page.tags for name, value in found.items() if name in ("href", "src", "xlink:href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    source = (run / "report.html").read_text(encoding="utf-8")
    assert "@import" not in source
    assert "url(http" not in source


def test_ids_are_unique_and_references_lead_somewhere(page):
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    wanted = [found["aria-labelledby"] for _, found in page.tags if "aria-labelledby" in found]
    wanted += [found["xlink:href"][1:] for _, found in page.tags if "xlink:href" in found]
    assert wanted
    assert set(wanted) <= set(ids)


def test_titles_feelings_and_names_from_the_data_are_shown_and_not_obeyed(page):
    assert "<script>alert('title')</script>" in page.text
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "small <i>world</i>" in page.text
    assert "good & <new>" in page.text


def test_pictures_are_labelled_and_tables_have_captions(page):
    pictures = [found for found in page.all("svg") if found.get("aria-hidden") != "true"]
    sparks = [found for found in pictures if found.get("class") == "spark"]
    assert len(sparks) == len(METRICS) * 4 + 2, "the days of each metric and arm, and of the two that are compared"
    labels = [str(found["aria-label"]) for found in pictures]
    for metric in METRICS:
        assert any(label.startswith(f"{metric.label}, mean and 95 % interval over agents") for label in labels)
        assert any(label.startswith(f"{metric.label} by day and arm") for label in labels)
    assert any(label.startswith("Share of sessions that reach each page") for label in labels)
    assert all(found["role"] == "img" and found["aria-label"] for found in pictures)
    assert len(page.all("table")) == len(page.all("caption")) >= 4
    assert len(page.all("h1")) == 1


def test_sessions_that_were_shown_nothing_are_said_to_be_in_no_curve(page, summary):
    counts = ", ".join(f"{arm.name} {arm.counts.ended_by['nothing_shown']}" for arm in summary.arms)
    assert f"Sessions that were shown nothing are in neither: {counts}." in page.text
    assert "sessions that were shown something reach page" in page.text


def test_the_page_says_what_it_is(page, summary):
    assert opening(summary) in page.text
    assert "not validated against humans" in page.text
    assert "a bound: it ranks by the agents' hidden preferences" in page.text
    assert "Nobody's; <b>do</b> as you like." in page.text
    assert "d" * 64 in page.text
    for metric in METRICS:
        assert metric.definition in page.text


def test_the_page_gives_the_verdict_and_asks_whether_to_believe_it(page):
    assert "No primary metric was declared" in page.text
    assert "The fidelity of these agents on these data is not known" in page.text
    assert "good & <new>" in page.text
    checks = [found for found in page.all("li") if (found.get("class") or "").startswith("check ")]
    assert len(checks) == 6 + 3 + 2, "two more where pages are lost"
    assert len([found for found in page.all("details") if found.get("class") == "arm"]) == 1
    assert "good & <new>: indicative" in page.text or "good & <new>: not supported" in page.text


def test_the_page_answers_first(page, run):
    answer = json.loads((run / "answer.json").read_text(encoding="utf-8"))
    assert answer["claim"].startswith("Do not use these figures"), "what was logged was changed for these tests"
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    main = text[text.index(answer["question"], text.index("Contents")) :]
    places = [main.index(words) for words in (answer["detail"], *(each["words"] for each in answer["lights"]))]
    assert places == sorted(places)
    assert [row["name"] for row in answer["recommenders"]] == ["good & <new>", "chance"]
    assert "again" in answer["left_out"]


def test_an_audience_that_passed_changes_the_stamp(tmp_path, small_run, blank_pictures):
    shutil.copy(small_run / "log.db", tmp_path)
    tau = {"part": "system", "metric": "kendall tau", "kind": "mind", "value": 0.81, "n": 11}
    log = LogReader(tmp_path)
    about = {"dataset_hash": log.run()["dataset_hash"], "mind": {}}
    content = {"system_gate_passed": True, "records": [tau], "about": about}
    (tmp_path / "fidelity.json").write_text(json.dumps(with_seal(content)))
    text = Reader(write_report(tmp_path, log, summarise(log)).read_text(encoding="utf-8")).text
    assert "passed the system gate" in text
    assert "Kendall's tau 0.81" in text
    assert "these agents rank recommenders in the order that real behaviour does" in text


def test_metrics_that_many_people_lack_come_with_a_warning(page, summary):
    (again,) = (arm for arm in summary.arms if arm.name == "again")
    share_left_out = again.differences["like_ratio"].excluded / summary.run["agents"]
    assert share_left_out > 0.1
    assert f"{100 * share_left_out:.1f} % for like ratio" in page.text


def test_every_mean_of_the_summary_stands_in_the_page(page, summary):
    for arm in summary.arms:
        for metric in METRICS:
            assert f"{arm.metrics[metric.name].mean:.{metric.decimals}f}" in page.text


def test_stories_of_a_dozen_lay_every_arm_but_copies_side_by_side(page):
    arms = [found["data-tab"] for found in page.all("section") if found.get("class") == "arm-day"]
    people = page.all("article")
    assert len({found["data-agent"] for found in people}) == 12
    assert {found["data-day"] for found in people} == {"1", "2"}, "the first day of each, and the last"
    # People come on days of their own in each arm; "again" is a copy of "chance".
    assert set(arms) == {"chance", "good & <new>", "best"}
    assert "again is the same recommender as chance and showed the same lists" in page.text


def luminance(code: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out_from_the_paper(colours):
    paper = luminance(colours["paper"])
    for name, code in colours.items():
        lighter, darker = sorted((luminance(code), paper), reverse=True)
        contrast = (lighter + 0.05) / (darker + 0.05)
        if name in ("ink", "muted"):
            assert contrast >= 4.5
        elif name not in ("paper", "rule"):
            assert contrast >= 3.0


def test_both_schemes_have_the_same_colours_and_each_occurs_once():
    assert LIGHT.keys() == DARK.keys()
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_arms_never_differ_by_hue_alone(summary):
    many = replace(summary, arms=tuple(replace(summary.arms[0], name=f"arm {n}") for n in range(12)))
    looks = list(styles(many).values())
    assert len({(look.colour, look.marker) for look in looks}) == len(looks)
    assert len({(look.marker, look.dash) for look in looks[:8]}) == 8


def test_pictures_are_written_as_png(run):
    for name in ("metrics.png", "pages.png", "days.png"):
        assert (run / name).read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_run_with_an_arm_that_never_ran_says_so(tmp_path, small_run, no_sheets):
    shutil.copy(small_run / "log.db", tmp_path)
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("UPDATE runs SET status = 'interrupted', finished_at = NULL")
        connection.execute("DELETE FROM sessions WHERE arm_id > 2 OR day > 0")
        for table in ("impressions", "events", "calls", "moods"):
            connection.execute(f"DELETE FROM {table} WHERE session_id NOT IN (SELECT session_id FROM sessions)")
    log = LogReader(tmp_path)
    summary = summarise(log)
    text = Reader(write_report(tmp_path, log, summary).read_text(encoding="utf-8")).text
    assert "This run is interrupted" in text
    assert summary.arms[3].metrics["view_ratio"].mean is None
    assert not (tmp_path / "days.png").exists()


def test_a_difference_that_could_not_be_estimated_has_no_mark(tmp_path, small_run, summary, no_sheets):
    shutil.copy(small_run / "log.db", tmp_path)
    first, second, *others = summary.arms
    unknown = {
        name: replace(found, difference=None, low=None, high=None, n=1) for name, found in second.differences.items()
    }
    without = replace(summary, arms=(first, replace(second, differences=unknown), *others))
    with LogReader(tmp_path) as log:
        assert write_report(tmp_path, log, without).is_file()


def test_a_metric_without_a_value_on_any_day_has_no_panel(tmp_path, small_run, no_sheets):
    shutil.copy(small_run / "log.db", tmp_path)
    with sqlite3.connect(tmp_path / "log.db") as log:
        log.execute("UPDATE impressions SET rating = NULL")  # as where nobody gives stars
    with LogReader(tmp_path) as reader:
        page = write_report(tmp_path, reader, summarise(reader)).read_text()
    assert "Click-through rate by day and arm" in page
    assert "Mean rating by day and arm" not in page


def test_the_same_log_gives_the_same_page(tmp_path, run, no_sheets):
    shutil.copy(run / "log.db", tmp_path)
    shutil.copy(run / "manifest.json", tmp_path)
    log = LogReader(tmp_path)
    again = write_report(tmp_path, log, summarise(log))
    assert again.read_bytes() == (run / "report.html").read_bytes()


def test_the_terminal_table_names_arms_and_marks_bounds(summary):
    console = Console(width=140, record=True, file=None)
    with console.capture() as capture:
        console.print(render_summary_table(summary))
    text = capture.get()
    assert "good & <new>" in text
    assert "(a bound)" in text
    assert f"{summary.arms[0].metrics['mean_rating'].mean:.2f}" in text


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_no_figure_of_the_terminal_table_is_cut(summary, width):
    console = Console(width=width, file=None)
    with console.capture() as capture:
        console.print(render_summary_table(summary))
    text = capture.get()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert all(f"{found.mean:.2f}" in text for arm in summary.arms for found in [arm.metrics["mean_rating"]])
    assert max(map(len, text.splitlines())) <= width


def test_a_difference_is_read_by_its_interval_and_the_metrics_direction(summary):
    readings = {
        (arm.name, metric.name): verdict(arm.differences[metric.name], metric)
        for arm in summary.arms[1:]
        for metric in METRICS
    }
    assert readings["best", "like_ratio"] == "better"
    assert {readings["again", metric.name] for metric in METRICS} == {"the same"}, "a copy is not too close to call"


def test_small_negative_numbers_and_shares_are_written_plainly():
    assert signed(-0.001, 2) == "0.00"
    assert signed(-0.5, 1) == "\N{MINUS SIGN}0.5"
    assert (share(0, 0), share(5, 5), share(1, 3)) == ("\N{EN DASH}", "100 %", "33.3 %")

"""Any user's day is told as the log has it: every slot, luck beside what was expected, what is not known as such."""

from __future__ import annotations

import gzip
import shlex
import shutil
import sqlite3
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.people.story import stories, story
from groundlings.experiments.analysis.report.stories import fragment, mark, story_html, styles_in
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

EVERY_KIND = ("parallel", "language", "lost", "split", "interleaving", "one", "rows", "shop", "twice")
EARLIER = Path(__file__).parents[3] / "simulator" / "log" / "data"


class Fragment(HTMLParser):
    """What a browser would find in a fragment."""

    VOID = frozenset({"br", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(str(text))
        self.close()
        assert not self.open

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


def slots_of(told):
    return [(arm.arm, slot) for arm in told.arms for each in arm.sessions for page in each.pages for slot in page.slots]


def all_stories(log):
    first = stories(log, [(agent, None) for agent in log.agent_ids()])
    return [each for told in first for each in stories(log, [(told.person.agent_id, day) for day in told.days])]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_slot_of_the_log_is_told_once_with_what_came_of_it(logs, kind):
    with LogReader(logs[kind]) as log:
        frame = log.impressions(columns=["arm", "user_id", "day", "item_id", "clicked", "p_click"])
        ids = {number + log.item_numbers()[0]: item.source_id for number, item in enumerate(log.logged_items())}
        told = all_stories(log)
        left_out = {(each.person.user_id, each.day, copy) for each in told for copy, _ in each.copies}
    frame["clicked"] = frame.clicked.astype(object).where(frame.clicked.notna(), None)
    logged = Counter(
        (row.arm, row.user_id, row.day, row.item_id, row.clicked)
        for row in frame.itertuples()
        if (row.user_id, row.day, row.arm) not in left_out
    )
    assert logged == Counter(
        (arm, each.person.user_id, each.day, ids[slot.item], slot.clicked)
        for each in told
        for arm, slot in slots_of(each)
    )
    assert len(logged) > 20


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_fragment_names_every_item_and_is_well_formed(logs, kind):
    with LogReader(logs[kind]) as log:
        looks = styles_in(log)
        for each in all_stories(log)[:4]:
            found = Fragment(story_html(each, looks))
            text = " ".join(found.text.split())
            assert all(slot.title in text for _, slot in slots_of(each))
            ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
            assert len(ids) == len(set(ids))
            assert not [tag for tag, _ in found.tags if tag in ("script", "img", "style")]


def test_what_was_opened_stands_beside_what_was_to_be_expected(logs):
    with LogReader(logs["parallel"]) as log:
        frame = log.impressions()
        told = story(log, log.agent_ids()[2])
    here = frame[(frame.user_id == told.person.user_id) & (frame.day == told.day)]
    for arm in told.arms:
        rows = here[here.arm == arm.arm]
        assert arm.tally.opened == rows.clicked.sum()
        assert arm.tally.expected == pytest.approx(rows.p_click.sum())
    with LogReader(logs["language"]) as log:
        (told, *_) = all_stories(log)
    assert all(arm.tally.expected is None for arm in told.arms), "an unknown chance is no chance of zero"


def test_items_that_another_arm_showed_on_that_day_are_marked(logs):
    with LogReader(logs["parallel"]) as log:
        looks, told = styles_in(log), story(log, log.agent_ids()[0])
    shown = {arm.arm: {slot.item for name, slot in slots_of(told) if name == arm.arm} for arm in told.arms}
    assert set(shown) == {"popular", "random_order"}
    for arm in told.arms:
        for name, slot in slots_of(told):
            if name == arm.arm:
                assert told.beside(arm, slot) == tuple(o for o in shown if o != name and slot.item in shown[o])
    text = Fragment(story_html(told, looks)).text
    assert text.count("only here") == sum(
        len([slot for name, slot in slots_of(told) if name == one and slot.item not in shown[other]])
        for one, other in (("popular", "random_order"), ("random_order", "popular"))
    )


@pytest.mark.parametrize("kind", ["split", "interleaving", "one"])
def test_where_nobody_lives_in_two_arms_no_item_is_said_to_be_only_in_one(logs, kind):
    with LogReader(logs[kind]) as log:
        told = all_stories(log)
        assert {len(each.arms) for each in told} == {1}
        assert not any("only here" in story_html(each, styles_in(log)) for each in told[:3])


def test_a_copy_of_an_arm_is_left_out_where_it_did_the_same_and_shown_where_it_did_not(logs, tmp_path):
    shutil.copytree(logs["parallel"], tmp_path / "run")
    with LogReader(tmp_path / "run") as log:
        agent = log.agent_ids()[0]
        told = story(log, agent)
        assert told.copies == (("popular again", "popular"),)
        assert "popular again is the same recommender as popular" in " ".join(story_html(told, styles_in(log)).split())
    with sqlite3.connect(tmp_path / "run" / LOG_NAME) as connection:
        connection.execute("UPDATE impressions SET p_click = 0.5 WHERE session_id IN (SELECT session_id FROM sessions "
                           "JOIN arms USING (arm_id) WHERE name = 'popular again')")  # fmt: skip
    with LogReader(tmp_path / "run") as log:
        told = story(log, agent)
    assert told.copies == ()
    assert [arm.arm for arm in told.arms] == ["popular", "random_order", "popular again"]


def test_lost_pages_and_refused_actions_are_said_and_never_counted(logs):
    with LogReader(logs["lost"]) as log:
        told, looks = all_stories(log), styles_in(log)
    pages = " ".join(story_html(each, looks) for each in told)
    assert "The reply could not be read; what this user did here is not known." in pages
    assert "Refused: " in pages
    unknown = [slot for each in told for _, slot in slots_of(each) if slot.clicked is None]
    assert unknown
    assert {mark(slot).words for slot in unknown} == {"not known"}
    for each in told:
        for arm in each.arms:
            assert arm.tally.known == sum(slot.clicked is not None for name, slot in slots_of(each) if name == arm.arm)


def test_words_of_a_model_rows_prices_teams_and_second_sessions_are_told(logs):
    def pages(kind):
        with LogReader(logs[kind]) as log:
            return " ".join(Fragment(story_html(each, styles_in(log))).text for each in all_stories(log))

    words = pages("language")
    assert "Asked: What was <missing>?" in words
    assert "Remembers" in words
    assert "Thought" in words
    assert "For <you>" in pages("rows")
    assert "picked by random_order" in pages("interleaving")
    assert "Session 2 of 2" in pages("twice")
    shop = pages("shop")
    assert "left in the cart" in shop
    assert "bought 1 for" in shop


def test_text_of_the_data_is_shown_and_not_obeyed(logs, tmp_path):
    shutil.copytree(logs["parallel"], tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / LOG_NAME) as connection:
        connection.execute("UPDATE items SET title = '<script>alert(1)</script>\u202e', genres = '\"><b>x</b>'")
        connection.execute("UPDATE agents SET source_user_id = '<img src=x onerror=alert(2)>' || source_user_id")
        connection.execute("UPDATE arms SET name = '\"><svg onload=alert(3)>' WHERE name = 'popular'")
    with LogReader(tmp_path / "run") as log:
        html = fragment(log, str(log.agent_ids()[0]))
    found = Fragment(html)
    assert not {tag for tag, _ in found.tags} & {"script", "img"}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>\\u202e" in found.text


def test_other_days_are_offered_and_a_fragment_says_what_is_not_there(logs):
    with LogReader(logs["parallel"]) as log:
        agent = log.agent_ids()[0]
        days = story(log, agent).days
        assert days == (0, 1)
        second = fragment(log, str(agent), "2")
        (other,) = [a for tag, a in Fragment(second).tags if tag == "a" and "data-day" in a]
        assert (other["data-agent"], other["data-day"]) == (str(agent), "1")
        for address, said in (
            ((str(agent), "77"), "no session on day 77; days with a session: 1, 2"),
            (("9999", None), "this run has no agent of that number; expected 1 to 8"),
            (("../etc", None), "expected a whole number from 1 on"),
            ((str(agent), "1; DROP TABLE agents"), "expected a whole number from 1 on"),
        ):
            with pytest.raises(ConfigError, match=said):
                fragment(log, *address)


def test_pages_that_are_left_out_are_said(logs):
    with LogReader(logs["parallel"]) as log:
        long = next(
            each
            for each in all_stories(log)
            if any(len(session.pages) > 2 for arm in each.arms for session in arm.sessions)
        )
        told = replace(long, person=replace(long.person, user_id="O'Brien $(ls)"))
        text = " ".join(Fragment(story_html(told, styles_in(log), most_pages=1)).text.split())
    said, _, after = text.partition("2 more pages: groundlings agent RUN --user ")[2].partition(" prints them.")
    assert after
    assert shlex.split(said) == ["O'Brien $(ls)"]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_log_of_every_earlier_version_tells_its_stories(tmp_path, version):
    for name in ("then", "inner"):
        (tmp_path / LOG_NAME).write_bytes(
            gzip.decompress((EARLIER / f"schema_{version}" / f"{name}.db.gz").read_bytes())
        )
        with LogReader(tmp_path) as log:
            told, looks = all_stories(log), styles_in(log)
            assert told
            assert all(each.person.user_id in Fragment(story_html(each, looks)).text for each in told[:3])

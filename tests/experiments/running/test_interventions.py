"""What changes on the way: from the file and from whoever watches, in the log, on resume, and in what people see."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import AsyncExitStack, suppress

import numpy as np
import pytest

from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.repeats import NEVER
from groundlings.experiments.config.loading import config_hash
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import ArmBegins, Note, SessionsWritten
from groundlings.experiments.running.live_requests import REQUESTS_NAME, LiveRequests, add_request
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan, prepare
from groundlings.experiments.running.simulating import simulate
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import LogWriter

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 6}},
    "simulation": {"days": 4},
    "site": {"page_size": 5, "max_pages": 2},
    "mind": {"kind": "scripted", "click": [0], "stars": 4.0, "pages": 2},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "random", "recommender": "random_order"}],
}
AGENTS = 12


class Watching:
    """Keeps what it is told, and asks for changes once so many sessions of an arm are written."""

    def __init__(self, directory, *asked):
        self.directory, self.asked, self.events, self.sessions, self.arm = directory, list(asked), [], 0, ""

    def event(self, event):
        self.events.append(event)
        match event:
            case ArmBegins(name, _):
                self.arm, self.sessions = name, 0
            case SessionsWritten(count):
                self.sessions += count
                for arm, sessions, content in list(self.asked):
                    if (arm, sessions) == (self.arm, self.sessions):
                        self.asked.remove((arm, sessions, content))
                        add_request(self.directory, content)

    @property
    def notes(self):
        return [event.line for event in self.events if isinstance(event, Note)]


def simulated(directory, config, *asked):
    """Simulate into the log of a directory, asking for changes at (arm, sessions so far); what was told."""
    directory.mkdir(exist_ok=True)
    watching = Watching(directory, *asked)

    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack)
            requests = LiveRequests(directory, plan, watching)
            await simulate(plan, run_row(plan), directory / LOG_NAME, watching, requests=requests)

    asyncio.run(whole())
    return watching


def config_with(*interventions, **changes):
    further = {"interventions": interventions} if interventions else {}
    return ExperimentConfig.model_validate({**SMALL, **further, **changes})


def digest_of(directory):
    with LogReader(directory) as log:
        assert log.check_seals().faults == ()
        return log.digest()


def shown(directory, arm="popular"):
    with LogReader(directory) as log:
        return log.impressions(arm)


@pytest.fixture
def plain(tmp_path):
    """The run in which nothing changes; its directory."""
    simulated(tmp_path / "plain", config_with())
    return tmp_path / "plain"


@pytest.fixture
def favourite(plain):
    """The item that is shown most often, and to people on each day."""
    return str(shown(plain).item_id.mode()[0])


def test_a_withdrawn_item_is_shown_to_nobody_until_it_is_restored(tmp_path, plain, favourite):
    simulated(tmp_path / "run", config_with({"day": 2, "withdraw": [favourite]}, {"day": 4, "restore": [favourite]}))
    for arm in ("popular", "random"):
        before = shown(plain, arm).query("item_id == @favourite").day
        days = shown(tmp_path / "run", arm).query("item_id == @favourite").day
        assert set(before) == {0, 1, 2, 3}
        assert set(days) == {0, 3}


def test_arms_that_are_not_named_stay_as_they_are(tmp_path, plain, favourite):
    simulated(tmp_path / "run", config_with({"day": 1, "arms": ["random"], "withdraw": [favourite]}))
    assert shown(tmp_path / "run").equals(shown(plain))
    assert favourite not in set(shown(tmp_path / "run", "random").item_id)


@pytest.mark.parametrize(
    ("design", "arm"), [("interleaving", "interleaved"), ({"kind": "split", "log": "shared"}, "popular")]
)
def test_arms_that_live_together_change_together(tmp_path, design, arm):
    simulated(tmp_path / "plain", config_with(design=design))
    item = str(shown(tmp_path / "plain", arm).query("day > 1").item_id.mode()[0])
    simulated(tmp_path / "file", config_with({"day": 3, "withdraw": [item]}, design=design))
    assert item in set(shown(tmp_path / "plain", arm).query("day > 1").item_id)
    assert item not in set(shown(tmp_path / "file", arm).query("day > 1").item_id)
    with LogReader(tmp_path / "plain") as log:
        a_day = int((log.sessions().day == 0).sum())
    watching = simulated(tmp_path / "live", config_with(design=design), (WHOLE[arm], 2 * a_day, {"withdraw": [item]}))
    assert watching.asked == []
    assert digest_of(tmp_path / "live") == digest_of(tmp_path / "file")


WHOLE = {"interleaved": "interleaved", "popular": "popular, random"}
"""What a stage is called in which an arm has its sessions."""


@pytest.mark.parametrize("every", [0, 1])
def test_a_new_recommender_is_fitted_on_what_the_arm_has_lived_through(tmp_path, every):
    config = config_with(
        {"day": 3, "arms": ["popular"], "recommender": "item_knn"}, simulation={"days": 4, "refit_every": every}
    )
    simulated(tmp_path / "run", config)
    plan = build_plan(config)
    people, catalog = list(plan.dataset.people.user_ids), list(plan.dataset.catalog.item_ids)
    with LogReader(tmp_path / "run") as log:
        lived = log.interactions("popular").query("day < 2")
    train = plan.split.train
    clicks = Interactions.of(
        np.array([people.index(user) for user in lived.user_id]),
        np.array([catalog.index(item) for item in lived.item_id]),
        lived.rating.to_numpy(),
        lived.timestamp.to_numpy(),
        n_users=train.n_users,
        n_items=train.n_items,
    )
    history = train.joined(clicks)
    fresh = ItemKnnRecommender()
    fresh.fit(history, plan.dataset.catalog)
    users = plan.population.users
    seen = NEVER.seen(history, np.zeros(0, dtype=np.int64), 2)[users]
    wanted = fresh.recommend(RankingRequest(users, 10, seen, Draws.for_sessions(3, users, 2))).items
    found = shown(tmp_path / "run").query("day == 2")
    assert len(found) == 10 * AGENTS
    for user, items in found.sort_values("rank").groupby("user_id").item_id:
        row = wanted[list(users).index(people.index(user))]
        assert list(items) == [catalog[item] for item in row]


def test_a_site_has_fewer_slots_and_pages_from_a_day_on(tmp_path):
    changes = {"day": 2, "site": {"page_size": 3}}, {"day": 3, "site": {"max_pages": 1}}
    simulated(tmp_path / "run", config_with(*changes))
    by_day = shown(tmp_path / "run").groupby("day")
    assert (by_day.position.max() + 1).tolist() == [5, 3, 3, 3]
    assert by_day.page.max().tolist() == [2, 2, 1, 1]


def test_agents_are_told_in_other_words_from_a_day_on(tmp_path):
    mind = {"kind": "language", "model": {"provider": "scripted"}}
    simulated(
        tmp_path / "run",
        config_with({"day": 2, "prompt": "plain"}, mind=mind, simulation={"days": 2}, population={"size": 2}),
    )
    with LogReader(tmp_path / "run") as log:
        hashes = log.calls("popular").groupby("day").template.agg(set)
    assert hashes[0].isdisjoint(hashes[1])


FILE = (
    {"day": 2, "withdraw": ["i1", "i2", "i3"]},
    {"day": 3, "recommender": {"recommender": "item_knn"}},
    {"day": 3, "arms": ["random"], "site": {"page_size": 3}},
    {"day": 4, "restore": ["i2"]},
)


@pytest.mark.parametrize("cohorts", [1, 3, 7, 11])
def test_an_interrupted_run_ends_like_the_one_that_nobody_interrupted(tmp_path, monkeypatch, cohorts):
    monkeypatch.setattr("groundlings.personas.minds.scripted.ScriptedMind.cohort_size", 8)
    config = config_with(*FILE)
    simulated(tmp_path / "whole", config)
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count > cohorts:
            raise ZeroDivisionError
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with suppress(ZeroDivisionError):
            simulated(tmp_path / "run", config)
    simulated(tmp_path / "run", config)
    assert digest_of(tmp_path / "run") == digest_of(tmp_path / "whole")
    with LogReader(tmp_path / "run") as log:
        assert len(log.interventions()) == 7, "none is there twice"


def test_what_is_asked_for_while_it_runs_ends_like_the_same_in_the_file(tmp_path):
    simulated(tmp_path / "file", config_with(*FILE))
    first, *others = FILE
    asked = [("popular", AGENTS, {name: first[name] for name in first if name != "day"})]  # from the next day on
    asked += [("popular", AGENTS, {**other, "recommender": "item_knn"} if "recommender" in other else other)
              for other in others]  # fmt: skip
    watching = simulated(tmp_path / "live", config_with(), *asked)
    assert watching.asked == []
    assert digest_of(tmp_path / "live") == digest_of(tmp_path / "file")
    with LogReader(tmp_path / "live") as log, LogReader(tmp_path / "file") as stated:
        assert set(log.interventions().origin) == {"live"}
        assert set(stated.interventions().origin) == {"file"}
        assert log.check_seals().faults == ()
    assert watching.notes[0] == "from day 2 on in popular, random: items i1, i2, i3 withdrawn (asked for while it ran)"


@pytest.mark.parametrize("sessions", [AGENTS + 3, 6 * AGENTS])
def test_what_was_asked_for_holds_on_resume_and_once(tmp_path, monkeypatch, sessions):
    monkeypatch.setattr("groundlings.personas.minds.scripted.ScriptedMind.cohort_size", 3)
    asked = ("popular", AGENTS, {"withdraw": ["i1", "i2"]})
    simulated(tmp_path / "whole", config_with(), asked)
    write, count = LogWriter.write, 0

    def failing(self, record, **named):
        nonlocal count
        count += len(record.sessions)
        if count > sessions:
            raise ZeroDivisionError
        write(self, record, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with suppress(ZeroDivisionError):
            simulated(tmp_path / "run", config_with(), asked)
    simulated(tmp_path / "run", config_with())
    assert digest_of(tmp_path / "run") == digest_of(tmp_path / "whole")
    with LogReader(tmp_path / "run") as log:
        assert log.interventions()[["arm", "day"]].values.tolist() == [["popular", 1], ["random", 1]]


def test_what_was_asked_for_while_it_lay_still_begins_on_the_first_day_that_nobody_has_lived(tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.personas.minds.scripted.ScriptedMind.cohort_size", 3)
    simulated(tmp_path / "file", config_with({"day": 4, "withdraw": ["i1", "i2"]}))
    write, count = LogWriter.write, 0

    def failing(self, record, **named):
        nonlocal count
        count += len(record.sessions)
        if count > 2 * AGENTS + 3:  # in the middle of the third day
            raise ZeroDivisionError
        write(self, record, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with suppress(ZeroDivisionError):
            simulated(tmp_path / "run", config_with())
    add_request(tmp_path / "run", {"withdraw": ["i1", "i2"]})
    simulated(tmp_path / "run", config_with())
    assert digest_of(tmp_path / "run") == digest_of(tmp_path / "file")


BAD = {
    "no json": "this is no JSON",
    "[1]": "found no JSON object",
    '{"withdraw": ["no such item"]}': "the data set has no item 'no such item'",
    '{"withdraw": ["i1"], "arms": ["ease"]}': "no arm is called 'ease'; there are popular, random",
    '{"withdraw": ["i1"], "day": 1}': "found 1, which has begun; the next one is 2",
    '{"withdraw": ["i1"], "day": 9}': "found 9, and the run has 4 days",
    '{"withdraw": ["i1"], "restore": ["i1"]}': "exactly one of",
    '{"recommender": "no_such"}': "found 'no_such'",
    '{"recommender": "os:system"}': "found 'os:system'",
    '{"recommender": {"recommender": "item_knn", "options": {"neighbours": 3}}}': "ask for the name alone",
    '{"recommender": "oracle"}': "hidden preference",
    '{"prompt": "plain"}': "only a language mind",
    '{"site": {"page_size": 50}}': "expected at most site.page_size (5)",
    '{"site": {"layout": "grid"}}': "layout: cannot change within a run",
    '{"nothing": 1}': "this key does not exist",
    '{"\\ud800\\u001b[31m": 1}': "expected text",
    '{"day": 1e999, "withdraw": ["i1"]}': "day: ",
    '{"day": "' + "9" * 30_000 + '"}': "no JSON",
}


def test_a_line_that_cannot_be_followed_is_a_note_and_changes_nothing(tmp_path, plain):
    directory = tmp_path / "run"
    directory.mkdir()

    class Asking(Watching):
        def event(self, event):
            if isinstance(event, SessionsWritten) and not (directory / REQUESTS_NAME).exists():
                (directory / REQUESTS_NAME).write_text("".join(f"{line}\n" for line in BAD))
            super().event(event)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(f"{__name__}.Watching", Asking)
        watching = simulated(directory, config_with())
    assert len(watching.notes) == len(BAD)
    for number, (note, reason) in enumerate(zip(watching.notes, BAD.values(), strict=True), start=1):
        assert note.startswith(f"{REQUESTS_NAME}, line {number}, changes nothing: "), note
        assert reason in note
        assert note.isprintable()
    assert digest_of(directory) == digest_of(plain)


def test_an_arm_whose_days_are_over_cannot_be_changed_and_a_late_line_says_so(tmp_path, plain):
    watching = simulated(
        tmp_path / "run",
        config_with(),
        ("random", AGENTS, {"withdraw": ["i1"]}),
        ("random", 4 * AGENTS, {"arms": ["random"], "withdraw": ["i1"]}),
    )
    assert "arms: popular had all of their days before; name some of random alone" in watching.notes[0]
    assert watching.notes[1].endswith("line 2, changes nothing: the last day had begun")
    assert digest_of(tmp_path / "run") == digest_of(plain)


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path, plain):
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / REQUESTS_NAME).write_text('{"day": 2, "withdraw": ["i1"]')
    assert simulated(directory, config_with()).notes == []
    assert digest_of(directory) == digest_of(plain)


def test_a_line_in_the_place_of_one_that_was_read_is_a_note(tmp_path, plain):
    """As `>` in the place of `>>` writes it, while the run is at work and before it is resumed."""
    directory = tmp_path / "run"
    directory.mkdir()

    class Overwriting(Watching):
        def event(self, event):
            super().event(event)
            lines = {AGENTS: '{"restore": ["i1"]}', 2 * AGENTS: '{"withdraw": ["i2"]}'}
            if isinstance(event, SessionsWritten) and self.arm == "popular" and self.sessions in lines:
                (directory / REQUESTS_NAME).write_text(lines[self.sessions] + "\n")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(f"{__name__}.Watching", Overwriting)
        watching = simulated(directory, config_with())
    replaced = f"{REQUESTS_NAME}, line 1, changes nothing: another line stood there when it was read; add a line behind"
    assert watching.notes[0].startswith("from day 2 on in popular, random: item i1 restored")
    assert [note.startswith(replaced) for note in watching.notes[1:]] == [True]
    assert shown(directory).equals(shown(plain))


def test_a_row_that_was_taken_away_is_noticed(tmp_path):
    simulated(tmp_path / "run", config_with(*FILE))
    with sqlite3.connect(tmp_path / "run" / LOG_NAME) as log:
        log.execute("DELETE FROM interventions WHERE kind = 'site'")
    with LogReader(tmp_path / "run") as log:
        assert log.check_seals().faults == ("the list of interventions was changed",)


def test_a_file_without_interventions_is_the_experiment_that_it_was():
    assert "interventions" not in config_with().model_dump(exclude_none=True)
    assert config_hash(config_with()) != config_hash(config_with({"day": 2, "withdraw": ["i1"]}))


def test_the_digest_covers_what_was_changed(tmp_path, plain):
    simulated(tmp_path / "run", config_with({"day": 4, "restore": ["i1"]}))  # nothing that anybody could see
    assert shown(tmp_path / "run").equals(shown(plain))
    assert digest_of(tmp_path / "run") != digest_of(plain)
    with LogReader(tmp_path / "run") as log:
        assert json.dumps(log.interventions().detail[0]) == '{"items": ["i1"]}'

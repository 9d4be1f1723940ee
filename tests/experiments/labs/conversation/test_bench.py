"""The bench on made tasks in tau-Rec's own format: success, policies, pass^k, and what cannot be read."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from groundlings.environments.conversation.messages import Move
from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.cli.main import _mount, app
from groundlings.experiments.labs.conversation.bench import try_systems
from groundlings.experiments.labs.conversation.figures import agreements_of, pass_k
from groundlings.experiments.labs.conversation.policies import broken
from groundlings.experiments.labs.conversation.talking import Conversation
from groundlings.experiments.labs.conversation.tau_rec import TauRecTools, read_tasks
from groundlings.recommenders.conversation.rules import AskingTalk

HERE = "tests.experiments.labs.conversation.test_bench"


def film(number, **changes):
    made = {
        "id": f"f{number}", "title": f"Film {number}", "release_date": "2020-01-01", "runtime": 80 + 10 * number,
        "genres": ["Drama"], "overview": "", "cast": ["A"], "director": "B", "rating": 5.0 + number / 2,
        "vote_count": number, "streaming_services": ["One"], "sponsored": False, "content_rating": "PG",
    }  # fmt: skip
    return {**made, **changes}


FILMS = [
    film(0, genres=["Comedy"]),
    film(1),
    film(2, sponsored=True),
    film(3, content_rating="R"),
    film(4, streaming_services=["Two"]),
    film(5, genres=["Horror"], streaming_services=[]),
]


def task(*constraints, flags=(), services=("One",), watched=(), impossible=False):
    return {
        "constraints": [
            {"constraint": {"field": field, "op": op, "value": value}, "reveal": reveal}
            for field, op, value, reveal in constraints
        ],
        "policy_flags": list(flags), "no_valid_recommendation": impossible, "user_id": "u",
        "user_history": {"u": {"watched": list(watched)}}, "user_services": list(services),
    }  # fmt: skip


DRAMA = ("genres", "contains", "Drama", "volunteer")
TASKS = [
    task(DRAMA, ("runtime", "<=", 90, "on_ask"), flags=["availability", "recommend_tool"]),
    task(DRAMA, ("rating", ">=", 6.0, "hidden"), flags=["watch_history", "sponsored"], watched=["f3"]),
    task(DRAMA, ("content_rating", "==", "R", "on_ask"), flags=["age_restricted", "single_recommendation"]),
    task(DRAMA, ("runtime", ">=", 500, "on_ask"), flags=["transparency"], impossible=True, services=()),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("tau_rec")
    (home / "tasks").mkdir()
    (home / "catalog.json").write_text(json.dumps(FILMS))
    for number, each in enumerate(TASKS):
        (home / "tasks" / f"t{number}.json").write_text(json.dumps(each))
    return home


@pytest.fixture(scope="module")
def findings(made):
    return try_systems(made, ("popularity", "asking", "elimination"), ("patient", "terse"), (0, 3), trials=2)


def figures(findings, system, style="patient", allowed=3):
    return next(
        row for row in findings.figures if (row.system, row.style, row.suggestions_allowed) == (system, style, allowed)
    )


def test_asking_and_suggesting_meet_every_need_with_all_policies_kept(findings):
    for system in ("asking", "elimination"):
        found = figures(findings, system)
        assert (found.passes, found.regret, found.outcomes) == ((1.0, 1.0), 0.0, {"abstained": 2, "recommended": 6})


def test_popularity_names_what_nobody_wanted(findings):
    found = figures(findings, "popularity", allowed=0)
    assert (found.satisfied, found.kept) == (0.0, 0.5)  # no horror film was asked for
    assert found.questions == 0


def test_there_is_a_row_for_every_conversation(findings):
    frame = findings.frame()
    assert len(frame) == 3 * (2 + 1) * 4 * 2
    assert (frame.passed == (frame.satisfied & (frame.broken == ""))).all()
    assert {pair.styles for pair in findings.agreements} == {("patient", "terse")}


def test_the_same_seed_gives_the_same_conversations(made):
    first, second = (try_systems(made, ("random",), ("terse",), (2,), trials=2, seed=4) for _ in range(2))
    assert first.rows == second.rows


def test_pass_k_is_the_share_of_choices_of_k_trials_that_all_passed():
    passed = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float64)
    assert pass_k(passed, 1).tolist() == [0.75, 0.25, 1.0]
    assert pass_k(passed, 2).tolist() == [0.5, 0.0, 1.0]


class Mumbling(AskingTalk):
    """Answers with no move."""

    def reply(self, said):
        return "hm"


def test_an_unreadable_message_is_counted_and_shown(made):
    found = try_systems(made, (f"{HERE}:Mumbling",), ("patient",), (0,), trials=1)
    assert found.figures[0].outcomes == {"unreadable": 4}
    assert found.figures[0].passes == (0.0,)
    assert "it is not JSON" in found.faults[f"{HERE}:Mumbling"]


def recommended(item, say="Take it.", before=()):
    moves = (*before, Move(say, "recommend", item=item))
    return Conversation((), moves, "recommended", int(item[1:]))


@pytest.mark.parametrize(
    ("number", "talk", "prepare", "flags"),
    [
        (0, recommended("f1"), lambda _: None, ()),
        (0, recommended("f4"), lambda _: None, ("availability",)),
        (1, recommended("f1"), lambda _: None, ("watch_history",)),
        (1, recommended("f1"), lambda tools: tools.history(), ()),
        (1, recommended("f3"), lambda tools: tools.history(), ("watch_history",)),
        (1, recommended("f2"), lambda tools: tools.history(), ("sponsored",)),
        (1, recommended("f2", "This is sponsored."), lambda tools: tools.history(), ()),
        (2, recommended("f3"), lambda _: None, ("age_restricted",)),
        (2, recommended("f3"), lambda tools: tools.must_confirm("f3"), ()),
        (2, recommended("f3", "Film 3 or Film 2"), lambda tools: tools.must_confirm("f3"), ("single_recommendation",)),
        (3, recommended("f3"), lambda _: None, ("transparency",)),
        (3, Conversation((), (Move("No.", "abstain"),), "abstained", None), lambda _: None, ()),
        (0, Conversation((), (), "left", None), lambda _: None, ("recommend_tool",)),
        (0, recommended("f1", before=(Move("?", "suggest", item="f4"),)), lambda _: None, ("availability",)),
    ],
)
def test_each_policy_is_checked_on_all_that_was_named(made, number, talk, prepare, flags):
    tasks = read_tasks(made)
    tools = TauRecTools(tasks, tasks.tasks[number])
    prepare(tools)
    assert broken(talk, tools) == flags


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tasks/t0.json", "{", "found no JSON"),
        ("tasks/t0.json", "{}", "found no task of tau-Rec"),
        ("tasks/t0.json", json.dumps(task(("size", "<=", 3, "hidden"))), "requirement: found field 'size'"),
        ("tasks/t0.json", json.dumps(task(DRAMA, flags=["kindness"])), "found policy 'kindness'"),
        (
            "tasks/t0.json",
            json.dumps(task(DRAMA, impossible=True)),
            "no recommendation is said to be valid; found 4 suitable items",
        ),
        ("tasks/t0.json", json.dumps(task(("runtime", "<=", 3, "hidden"))), "no item meets the constraints"),
        ("tasks/t0.json", "[" * 100_000, "found no JSON .it is nested too deeply"),
        ("tasks/t0.json", '{"user_id": "u", "user_id": "v"}', "found no JSON .*a key stands there twice"),
        (
            "tasks/t0.json",
            json.dumps(task(DRAMA) | {"user_services": "One"}),
            ".*user_services: found 'One'; expected a list",
        ),
        (
            "tasks/t0.json",
            json.dumps(task(("genres", "contains_any", "Drama", "hidden"))),
            ".*value: found 'Drama'; expected a list",
        ),
        ("catalog.json", json.dumps([{"id": "f0"}]), "found no catalogue of tau-Rec"),
        ("catalog.json", json.dumps([film(1), film(1)]), ".*each with an id of its own"),
        ("catalog.json", json.dumps([film(1, runtime=10**400)]), "found no catalogue of tau-Rec"),
        ("catalog.json", json.dumps([film(1, sponsored="no")]), ".*sponsored: found 'no'; expected true or false"),
    ],
    ids=[
        *(
            "json",
            "task",
            "field",
            "policy",
            "possible",
            "impossible",
            "deep",
            "twice",
            "letters of services",
            "letters of a value",
        ),
        *("catalogue", "ids", "digits", "flag"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_file(made, tmp_path, file, content, says):
    for each in made.rglob("*.json"):
        target = tmp_path / each.relative_to(made)
        target.parent.mkdir(exist_ok=True)
        target.write_text(each.read_text())
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=f"{Path(file).name}: {says}"):
        read_tasks(tmp_path)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"systems": ("asking",), "styles": ("shy",)}, "found shy; expected patient"),
        ({"systems": ("asking",), "half": "third"}, "found third; expected all"),
        ({"systems": ()}, "expected a system"),
        ({"systems": ("asking",), "seed": -1}, "seed: found -1; expected 0"),
        ({"systems": ("ask",)}, "there is no conversing recommender 'ask'"),
        ({"systems": (f"{HERE}:film",)}, "cannot converse; expected a class with begin and reply"),
    ],
    ids=["style", "half", "none", "seed", "system", "class"],
)
def test_what_there_is_not_is_named_with_what_there_is(made, asked, says):
    with pytest.raises(ConfigError, match=says):
        try_systems(made, **asked)


def test_the_command_prints_the_figures_and_writes_them(made, tmp_path):
    _mount()
    words = [
        "conversation",
        str(made),
        "--system",
        "asking",
        "--style",
        "patient",
        "--suggestions",
        "1",
        "--trials",
        "2",
    ]
    outcome = CliRunner().invoke(
        app, [*words, "--show", "t2", "--json", str(tmp_path / "f.json"), "--csv", str(tmp_path / "c.csv")]
    )
    assert outcome.exit_code == 0, outcome.output
    assert len(re.findall(r"\(\d\.\d\d-\d\.\d\d\)", outcome.output)) == 2, "of pass^1 and of pass^2"
    unknown = CliRunner().invoke(app, [*words, "--show", "t99", "--json", str(tmp_path / "kept.json")])
    assert isinstance(unknown.exception, ConfigError)
    assert (tmp_path / "kept.json").exists(), "what was found is not lost with a mistyped task"
    assert "patient users, 1 suggestion before the recommendation" in outcome.output
    assert json.loads((tmp_path / "f.json").read_text())["figures"][0]["passes"] == [1.0, 1.0]
    assert len(pd.read_csv(tmp_path / "c.csv")) == 8
    assert 'user    I want something where "genres" includes "Drama".' in outcome.output
    assert '"recommend": "f3"' in outcome.output


@pytest.mark.skipif("TAU_REC" not in os.environ, reason="TAU_REC names no directory with the data of tau-Rec")
def test_half_of_the_real_tasks_that_nothing_was_chosen_on_are_passed():
    found = try_systems(Path(os.environ["TAU_REC"]), ("elimination",), ("patient",), (0,), half="held-out")
    assert found.figures[0].passes[0] >= 0.9


def test_systems_in_no_order_have_no_agreement():
    better, worse = np.array([0.8, 0.7, 0.9]), np.array([0.2, 0.3, 0.1])
    (known,) = agreements_of({"patient": [better, worse], "terse": [better, worse]})
    assert known.tau == 1
    for alone in ([better], [better, better]):
        (unknown,) = agreements_of({"patient": alone, "terse": alone})
        assert (unknown.tau, unknown.interval) == (None, (None, None))

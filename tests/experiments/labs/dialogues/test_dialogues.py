"""The lab of dialogues on small made files: what leaks, who tells what, and what the figures are by hand."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import ChatRequest
from groundlings.environments.errors import ConfigError, DataError, ProviderError, TooMuchUnreadable
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.experiments.cli.dialogues import dialogues as command
from groundlings.experiments.labs.dialogues.figures import Tally
from groundlings.experiments.labs.dialogues.lab import Findings, Settings, check_read, examine_dialogues, model_in
from groundlings.experiments.labs.dialogues.leaks import without_leaks
from groundlings.experiments.labs.dialogues.reading import read_dialogues
from groundlings.experiments.labs.dialogues.rounds import Stage
from groundlings.experiments.labs.dialogues.seekers import (
    BY_MODEL,
    LEAKY,
    SEEKERS,
    Answer,
    Asked,
    EveryValue,
    ReciterOfValues,
    SharedNeed,
)
from groundlings.experiments.labs.dialogues.systems import Material
from groundlings.experiments.labs.dialogues.terminal import _with_ends, print_findings
from groundlings.experiments.labs.resampling import Resamples
from groundlings.recommenders.base import Recommender
from groundlings.simulator.language.scripted import ScriptedModel

SHELVES = ("bread", "cheese", "fruit")
HASHES = {"seeker-1": "ca5231adab176f98b1a2a1a01466880775c31a9347047559d8f35277b65e615d"}
REAL = "TEST_DIALOGUES"
"""Names the directory of the real dialogues; without it the tests of these are skipped."""


def ware(number: int) -> dict[str, Any]:
    """A grocer's ware: on one of three shelves, from a maker of its own."""
    return {
        "name": f"Ware{number:02} Pack{number:02} ({1900 + number})" if number else "It (1990)",
        "shelf": [SHELVES[number % 3]],
        "maker": [f"maker{number:02}", "grocers united"],
        "about": f"thing number{number:02}",
        "code": f"c{number}",
    }


def shop(directory: Path, turns: list[dict[str, Any]], wares: int = 90) -> Path:
    """A directory of dialogues about wares."""
    (directory / "id2info.json").write_text(json.dumps({f"w{each}": ware(each) for each in range(wares)}))
    (directory / "turns.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    return directory


def name(number: int) -> str:
    return str(ware(number)["name"])


def turn(dialogue: int, number: int, context: list[str], *targets: int) -> dict[str, Any]:
    return {
        "dialog_id": str(dialogue), "turn_id": number, "context": context, "rec": [name(each) for each in targets],
    }  # fmt: skip


def talks(dialogues: int = 12) -> list[dict[str, Any]]:
    """Everybody names one ware and is told of the next ones; every second dialogue has a second turn."""
    found = []
    for number in range(dialogues):
        first = number + 61
        context = ["Hello, what is new?", "What do you like?", f"I liked {name(first)} a lot"]
        found.append(turn(number, 3, context, first + 1))
        if number % 2:
            found.append(turn(number, 5, [*context, f"Take {name(first + 1)}", "And what else"], first + 2))
    return found


def settings(**changes: Any) -> Settings:
    return Settings(**{"systems": ("bm25",), "shared_by": 5, "parts": 3, **changes})


def recall(findings: Findings, seeker: str, system: str, round_: int, among: int = 0) -> float:
    (row,) = (row for row in findings.rows if (row.seeker, row.system) == (seeker, system))
    return row.rounds[round_ - 1].recall[among].value


def test_what_was_named_before_is_counted_and_left_out(tmp_path: Path) -> None:
    leaking = [
        turn(1, 1, [f"Such as {name(4)}"], 4, 5),  # as the ware is called
        turn(2, 1, ["ware06 PACK06, the old one"], 6),  # without its year, in another case
        turn(3, 1, ["Something with nuts"], 0),  # "It" in "with": within another word alone
        turn(4, 1, ["Is it fresh"], 0),  # a word that is a title
        turn(5, 1, ["Ware07 and a Pack07"], 7),
    ]
    dialogues = read_dialogues(shop(tmp_path, leaking))
    kept, leaks = without_leaks(dialogues)
    assert [turn.targets for turn in kept] == [(5,), (0,), (7,)]
    assert (leaks.targets, leaks.with_year, leaks.by_title, leaks.within_words) == (6, 1, 3, 4)
    assert (leaks.turns, leaks.emptied) == (5, 2)


def test_a_recited_target_is_found_and_a_shared_need_names_no_single_item(tmp_path: Path) -> None:
    findings = examine_dialogues(shop(tmp_path, talks()), settings())
    assert findings.ask == ("shelf", "maker")
    assert recall(findings, "attribute_leaky", "bm25", 1) < 0.2
    assert recall(findings, "attribute_leaky", "bm25", 3) == 1.0  # the maker makes one ware
    assert recall(findings, "title_told", "bm25", 2) == 1.0
    assert recall(findings, "need", "bm25", 5, among=1) < 1.0  # thirty wares stand on a shelf
    (worth,) = (each for each in findings.worths if each.system == "bm25")
    assert worth.gain[0].value == pytest.approx(1.0 - recall(findings, "need", "bm25", 5))
    rows = {row.seeker: row for row in findings.rows if row.system == "bm25"}
    assert rows["need"].naming == 0
    assert rows["title_told"].naming == rows["title_told"].answers > 0


@pytest.mark.parametrize("shared_by", [1, 5, 30, 31])
def test_enough_items_fit_all_that_a_need_tells_of_a_target(tmp_path: Path, shared_by: int) -> None:
    dialogues = read_dialogues(shop(tmp_path, talks()))
    need = SharedNeed(dialogues, ("shelf", "maker"), shared_by)
    for each in dialogues.turns:
        told = need.of(each)
        fitting = [
            item for item in range(len(dialogues.catalog))
            if all(set(values) <= set(dialogues.fields[field][item]) for field, values in told.items())
        ]  # fmt: skip
        assert each.targets[0] in fitting
        assert len(fitting) >= shared_by
        assert EveryValue(dialogues).of(each)["maker"][0] not in told["maker"] or shared_by == 1


def test_a_value_that_names_the_target_is_no_wish(tmp_path: Path) -> None:
    directory = shop(tmp_path, [turn(1, 1, ["Hello"], 3)])
    items = json.loads((directory / "id2info.json").read_text())
    for each in items.values():
        each["maker"] = ["Ware03", "Pack03"]  # side by side they are the title of one ware
    (directory / "id2info.json").write_text(json.dumps(items))
    dialogues = read_dialogues(directory)
    asked = Asked(dialogues.turns[0], (), "maker")
    for wishes, told in (
        (SharedNeed(dialogues, ("maker",), 5), "Ware03"),
        (EveryValue(dialogues), "Ware03, Pack03"),
    ):
        assert asyncio.run(ReciterOfValues(wishes).answer(asked)) == Answer(told, told)


def test_recommenders_learn_nothing_of_the_dialogue_that_they_are_judged_on(tmp_path: Path) -> None:
    dialogues = read_dialogues(shop(tmp_path, talks()))
    kept, _ = without_leaks(dialogues)
    batches = list(Material(dialogues, 3, 0).batches(kept))
    assert sorted((each.dialogue, each.number) for batch in batches for each in batch.turns) == sorted(
        (each.dialogue, each.number) for each in kept
    )
    for batch in batches:
        assert len({each.dialogue for each in batch.turns}) == len(batch.turns)
        matrix = batch.interactions.matrix.toarray() > 0
        for user, each in enumerate(batch.turns):
            assert set(matrix[user].nonzero()[0]) == set(batch.named[user])
            assert not set(each.targets) & set(batch.named[user])
        judged = {each.dialogue for each in batch.turns}
        learned = matrix[len(batch.turns) :].sum(axis=1)
        assert len(learned) <= len(dialogues.ids) - len(judged)
        assert learned.min() >= 2  # the ware that is named, and the one that is recommended


class Scripted(Recommender):
    """Lists a target at a given rank in each round, and other items before and after it; 0: does not list it."""

    reads_queries = True

    def __init__(self, target: int, ranks: list[int]) -> None:
        self.target, self.ranks = target, iter(ranks)
        self.heard: list[tuple[str | None, ...]] = []

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Learns nothing."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """The list of the next round."""
        assert request.queries is not None
        self.heard.append(request.queries)
        items = np.array([item for item in range(60) if item != self.target][:50], dtype=np.int32)
        if rank := next(self.ranks):
            items[rank - 1] = self.target
        return Ranking.deterministic(items[None], np.full((1, 50), np.nan))


def test_a_target_ends_the_conversation_once_something_is_named_and_its_last_list_stands(tmp_path: Path) -> None:
    dialogues = read_dialogues(shop(tmp_path, [turn(1, 1, ["Hello"], 70), *talks()]))
    material = Material(dialogues, 3, 0)
    (batch,) = material.batches(dialogues.turns[:1])
    system = Scripted(70, [0, 40, 0, 7])
    stage = Stage(material, ("shelf", "maker"), rounds=5, seed=0)
    (talk,) = asyncio.run(stage.play(system, ReciterOfValues(EveryValue(dialogues)), batch))
    assert talk.ranks == [(0,), (40,), (0,), (7,), (7,)]  # 40 while it asks: nothing was named yet
    assert (talk.over, talk.answers) == ("accepted", 3)
    assert [each[0] for each in system.heard] == ["Hello", "cheese", *["cheese maker70, grocers united"] * 2]
    assert talk.said[1::2] == [
        "What do you wish about shelf?", "What do you wish about maker?",
        f"Would {name(0)} suit you? What should it be like?",
    ]  # fmt: skip


def said_by(rule: Callable[[str, str], str]) -> ScriptedModel:
    """A model that says what a rule makes of what it is told and asked."""

    def reply(request: ChatRequest) -> str:
        return json.dumps({"say": rule(request.messages[0].content, request.messages[1].content)})

    return ScriptedModel(reply)


def test_only_the_leaky_seeker_is_told_titles_and_what_it_lets_slip_reaches_the_recommender(tmp_path: Path) -> None:
    model = said_by(lambda told, _: f"I think of {re.findall('Ware[0-9]+', told)} and of a shelf")
    findings = examine_dialogues(shop(tmp_path, talks()), settings(seekers=BY_MODEL), model)
    rows = {row.seeker: row for row in findings.rows if row.system == "bm25"}
    assert findings.model == "scripted"
    assert recall(findings, "free_form_leaky", "bm25", 2) > 0.5
    assert recall(findings, "need_worded", "bm25", 5) < 0.2
    assert rows["need_worded"].naming == 0
    wanted = {name(each) for each in range(90)}
    for request in model.requests:
        if "You do not know yet" in request.messages[0].content:
            assert not any(each in request.messages[0].content for each in wanted)


def test_an_answer_that_cannot_be_read_ends_the_conversation_and_is_counted(tmp_path: Path) -> None:
    model = ScriptedModel(lambda _: "no JSON")
    findings = examine_dialogues(shop(tmp_path, talks(6)), settings(seekers=("need_worded",)), model)
    (row,) = (each for each in findings.rows if each.system == "bm25")
    assert row.unreadable == row.turns
    assert row.answers == 0
    assert row.rounds[0].recall == row.rounds[4].recall
    assert row.nothing_read
    both = examine_dialogues(shop(tmp_path, talks(6)), settings(seekers=BY_MODEL), model)
    assert [worth.system for worth in both.worths] == ["popular"], "nobody knows what an unread leak is worth"
    console = Console(width=160, record=True)
    print_findings(both, console)
    said = console.export_text()
    assert "could not be read or was refused: bm25 9 of 9 conversations" in said
    assert "no answer to bm25 could be read" in said
    assert "ended with a target listed: popular 77.8% [" in said
    check_read(both, 1)
    with pytest.raises(
        TooMuchUnreadable, match=r"need_worded with 'bm25': 9 of 9 .*100 %.*--max-unreadable allows 20 %"
    ):
        check_read(findings, 0.2)


def test_a_temperature_that_no_seeker_is_asked_at_is_refused_and_what_a_server_wants_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text("provider: scripted\ntemperature: 1\n")
    with pytest.raises(ConfigError, match=r"temperature: found 1; expected 0"):
        model_in(tmp_path / "model.yaml")
    (tmp_path / "model.yaml").write_text("provider: endpoint\nbase_url: http://127.0.0.1:9/v1\nmax_attempts: 1\n")
    named = settings(seekers=("need_worded",), model=model_in(tmp_path / "model.yaml"))
    with pytest.raises(ProviderError, match=r"connection refused.*mend base_url in the file of --model$"):
        examine_dialogues(shop(tmp_path, talks(6)), named)


def test_the_command_marks_what_leaks_and_writes_its_figures(tmp_path: Path) -> None:
    shop(tmp_path, talks())
    model = tmp_path / "model.yaml"
    model.write_text("provider: scripted\n")
    asked = [word for seeker in SEEKERS for word in ("--seeker", seeker)]
    alone = typer.Typer()
    alone.command()(command)
    ran = CliRunner().invoke(
        alone,
        [str(tmp_path), *asked, "--system", "bm25", "--take", "6", "--model", str(model), "--json",
         str(tmp_path / "figures.json")],
        env={"COLUMNS": "140"},
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    for seeker in SEEKERS:
        (line,) = (line for line in ran.output.splitlines() if line.startswith(f"{seeker} ("))
        assert ("LEAKY" in line) == (seeker in LEAKY)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["judged"] == 6
    assert {each["leaky"] for each in figures["worths"]} == {"attribute_leaky", "free_form_leaky"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seekers": ("nobody",)}, "seeker: found nobody; expected attribute_leaky"),
        ({"ask": ("price",)}, "ask: found price; expected fields of the items: shelf, maker"),
        ({"ask": ("shelf", "shelf")}, "expected each field once"),
        ({"systems": ("popularr",)}, "popularr"),
        ({"systems": ("chat",)}, "found chat, which chooses its own moves"),
        ({"parts": 1}, "parts: found 1; expected 2 or more"),
        ({"take": 0}, "take: found 0"),
        ({"rounds": 0}, "expected a seeker, a round"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        examine_dialogues(shop(tmp_path, talks()), settings(**changes))


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("turns.jsonl", "", "found no line"),
        ("turns.jsonl", "{", "line 1: found no JSON"),
        ("turns.jsonl", '{"dialog_id": "1", "turn_id": 1, "context": "Hi", "rec": []}', "line 1, context: found 'Hi'"),
        ("turns.jsonl", '{"dialog_id": "1", "turn_id": 1, "context": [], "rec": ["Nobody"]}', "no turn with a target"),
        ("turns.jsonl", b"\xff", "turns.jsonl: found what is not UTF-8; expected JSON in UTF-8"),
        ("turns.jsonl", '{"dialog_id": "\\ud800", "turn_id": 1}', "line 1: found half a character"),
        ("id2info.json", '{"1": {"name": " "}}', "item '1', name: found ' '; expected what dialogues call it"),
        ("id2info.json", "\ufeff[]", "expected id -> what is known"),
        ("id2info.json", '{"1": {"shelf": []}}', "item '1', name: found None"),
        ("id2info.json", '{"1": {"name": "A", "shelf": [1]}}', "shelf: found [1]; expected a list of texts"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, file: str, content: str | bytes, says: str) -> None:
    (shop(tmp_path, talks()) / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=re.escape(says)):
        examine_dialogues(tmp_path, settings())


def test_too_few_dialogues_are_named_with_how_many_there_must_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found 3 dialogues; expected 5 or more"):
        examine_dialogues(shop(tmp_path, talks(3)), settings(parts=5))


def test_a_turn_that_stands_twice_is_refused_and_a_text_may_hold_any_end_of_line(tmp_path: Path) -> None:
    odd = turn(1, 1, ["Hi\u2028there\x85"], 3)
    directory = shop(tmp_path, [])
    (directory / "turns.jsonl").write_text(json.dumps(odd, ensure_ascii=False), encoding="utf-8")
    assert read_dialogues(directory).turns[0].context == ("Hi\u2028there\x85",)
    with pytest.raises(DataError, match=r"line 3: found turn 1 of its dialogue, as in line 1; expected each turn once"):
        read_dialogues(shop(tmp_path, [odd, turn(1, 2, ["Hi"], 3), odd]))


def test_one_dialogue_has_figures_without_intervals(tmp_path: Path) -> None:
    (_, row) = examine_dialogues(shop(tmp_path, talks()), settings(seekers=("need",), systems=("bm25",), take=1)).rows
    assert {(each.low, each.high) for one in row.rounds for each in one.recall} == {(None, None)}


def test_namesakes_and_targets_that_nothing_is_called_are_counted(tmp_path: Path) -> None:
    directory = shop(tmp_path, [*talks(), {**turn(20, 1, ["Hi"], 1), "rec": ["Nobody", name(2)]}])
    items = json.loads((directory / "id2info.json").read_text())
    (directory / "id2info.json").write_text(json.dumps({**items, "again": ware(3)}))
    dialogues = read_dialogues(directory)
    assert (dialogues.namesakes, dialogues.unknown, len(dialogues.catalog)) == (1, 1, 90)


def test_the_prompt_has_its_version() -> None:
    text = files("groundlings.experiments.labs.dialogues").joinpath("seeker.md").read_bytes()
    assert HASHES == {f"seeker-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


@pytest.mark.skipif(REAL not in os.environ, reason=f"{REAL} names no dialogues")
def test_the_real_dialogues_leak_as_much_as_the_page_says() -> None:
    dialogues = read_dialogues(Path(os.environ[REAL]))
    _, leaks = without_leaks(dialogues)
    assert leaks.by_title / leaks.targets == pytest.approx(0.121, abs=0.01)
    assert leaks.within_words / leaks.targets == pytest.approx(0.126, abs=0.01)


def test_recall_among_as_many_as_there_are_items_is_not_known() -> None:
    turn = SimpleNamespace(dialogue=1, targets=(4,))
    talk = SimpleNamespace(turn=turn, ranks=[(7,)], over="rounds", answers=1, naming=0)
    resamples = Resamples.draw(1, 20, np.random.default_rng(1))
    tallies = {items: Tally([talk], [1], resamples, items) for items in (30, 60)}  # type: ignore[list-item]
    few, many = (tally.row("a", "b", tally).rounds[0] for tally in tallies.values())
    assert [figure and figure.value for figure in few.recall] == [0.0, 1.0, None]
    assert [figure and figure.value for figure in many.recall] == [0.0, 1.0, 1.0]
    assert few.over_popular[2] is None
    assert _with_ends(few.recall[2]) == "n/a"


def test_what_all_dialogues_agree_on_is_not_certain_of_others() -> None:
    turns = [SimpleNamespace(dialogue=number, targets=(4,)) for number in range(14)]
    talks = [SimpleNamespace(turn=turn, ranks=[(7,)], over="accepted", answers=1, naming=0) for turn in turns]
    tally = Tally(talks, range(14), Resamples.draw(14, 200, np.random.default_rng(1)), 90)  # type: ignore[arg-type]
    row = tally.row("a", "b", tally)
    nobody, everybody, _ = row.rounds[0].recall
    assert (nobody.low, nobody.high) == (0.0, pytest.approx(0.215, abs=0.001))  # Wilson's, 0 of 14
    assert (everybody.low, everybody.high) == row.accepted_ends == (pytest.approx(0.785, abs=0.001), 1.0)

"""The glossary names nothing that the log, the experiment file or the command line lacks."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.reference import reference
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.lesson_rows import lessons
from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.tables import metadata

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in GLOSSARY.splitlines() if line.startswith("| **")
]
NAMED = [(cells[0], name) for cells in ROWS for name in re.findall(r"`([^`]+)`", cells[2])]
FIELD = [
    "user",
    "agent",
    "persona",
    "session",
    "impression",
    "click",
    "click-through",
    "interaction",
    "candidate",
    "negative",
    "control",
    "cold",
    "recommender",
    "arm",
    "position",
    "rank",
    "page",
    "propensity",
    "examination",
    "policy",
    "digest",
    "environment",
    "action",
    "mind",
    "metric",
    "guardrail",
    "held-out",
    "cohort",
    "segment",
    "variant",
    "replicate",
    "fidelity",
]


@cache
def log_names() -> set[str]:
    """Every table, and every column with its table before it."""
    tables = {**metadata.tables, **{table.name: table for table in (assignments, lessons, presentations)}}
    return {*tables} | {f"{name}.{column.name}" for name, table in tables.items() for column in table.columns}


@cache
def file_keys() -> set[str]:
    """Every key of the experiment file with its sections before it, as the reference has them."""
    keys, section = set(), ""
    for line in reference().splitlines():
        if heading := re.match(r"## (?:`(.+)`|The file)$", line):
            section = f"{heading[1]}." if heading[1] else ""
        elif row := re.match(r"\| `(\w+)` \|", line):
            keys.add(section + row[1])
    return keys


@cache
def whole_command() -> Any:
    """The command with all of its commands."""
    cli._mount()
    return typer.main.get_command(cli.app)


def is_command(written: str) -> bool:
    """Whether the command line has the command, and every option that is written with it."""
    program, *words = shlex.split(written)
    command = whole_command()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    return program == "groundlings" and {*words} <= options


@pytest.mark.parametrize(("term", "name"), NAMED)
def test_what_the_glossary_names_exists(term: str, name: str) -> None:
    known = is_command(name) if name.startswith("groundlings") else name in log_names() | file_keys()
    assert known, f"{term}: `{name}` is no table, column, key or command"


def test_every_term_is_defined_once_and_in_four_columns() -> None:
    terms = [cells[0] for cells in ROWS]
    assert len({*terms}) == len(terms)
    assert [cells for cells in ROWS if len(cells) != 4 or not cells[1].endswith(".")] == []


@pytest.mark.parametrize("word", FIELD)
def test_the_words_of_the_field_are_in_the_glossary(word: str) -> None:
    assert any(re.search(rf"\*\*{word}\b", cells[0]) for cells in ROWS)


def test_the_click_through_rate_of_the_glossary_is_the_metric_of_the_reports() -> None:
    (metric,) = (metric for metric in METRICS if metric.label == "Click-through rate")
    (row,) = (cells for cells in ROWS if "click-through" in cells[0])
    assert f"`{metric.name}`" in row[1]


@pytest.mark.parametrize("page", ["README.md", "docs/log.md", "docs/ab-tests.md", "CONTRIBUTING.md"])
def test_readers_are_led_to_the_glossary(page: str) -> None:
    assert re.search(r"\]\((docs/)?glossary\.md\)", (ROOT / page).read_text())

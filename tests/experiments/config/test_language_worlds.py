"""The commands by which the pages run the shipped worlds with language agents: each is a file that can be run."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from groundlings.experiments.config.loading import load_config

ROOT = Path(__file__).parents[3]
PAGES = ("social", "conversation-world", "search-world")
COMMANDS = [
    shlex.split(command.replace("\\\n", " "), comments=True)
    for page in PAGES
    for command in re.findall(
        r"^groundlings run (?:[^\n]*\\\n)*[^\n]*", (ROOT / f"docs/{page}.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    if "language" in command
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: Path(words[2]).stem)
def test_each_command_asks_few_agents_in_words(command):
    changes = [value for flag, value in pairwise(command) if flag == "--set"]
    config = load_config(ROOT / command[2], changes)
    assert config.mind.kind in ("language", "conversing_language")
    assert config.population.size <= 6
    assert config.simulation.days <= 2
    social = getattr(config.mind, "social", None)
    assert social is None or social.turns is not None, "ties of language agents say themselves what they tell"


def test_every_shipped_world_has_one():
    assert {Path(command[2]).stem for command in COMMANDS} == {"search", "conversation", "social", "mixed"}

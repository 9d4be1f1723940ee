"""A small share of `make fuzz`, and some of its files before the command itself."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CONFIGS = HERE.parents[1] / "experiments" / "configs"


@pytest.fixture(scope="module")
def fuzzed() -> subprocess.CompletedProcess[str]:
    """The command, for a few files of each kind and a few answers of a model server."""
    return subprocess.run(
        [sys.executable, HERE / "fuzz.py", "--yaml", "40", "--data", "20", "--replies", "60", "--seed", "1"],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip


@pytest.mark.slow
def test_spoilt_files_and_answers_end_in_a_valid_run_an_event_or_a_clear_error(fuzzed):
    assert fuzzed.returncode == 0, fuzzed.stdout + fuzzed.stderr
    assert "120 spoiled files, seed 1: 0 ended in neither" in fuzzed.stdout


@pytest.mark.slow
def test_files_of_every_kind_and_answers_were_spoilt_and_some_of_them_read(fuzzed):
    for campaign in ("yaml: valid run", "own tables: ", "rankings: ", "MovieLens: ", "call stores: ", "runs: "):
        assert campaign in fuzzed.stdout
    assert "server replies: read" in fuzzed.stdout


@pytest.mark.parametrize("number", range(6))
def test_the_command_ends_with_one_message(number, tmp_path, in_process):
    mutation = _mutation()
    luck = random.Random(number)
    text = (CONFIGS / luck.choice(("audience.yaml", "quickstart.yaml", "ab_movielens.yaml"))).read_text()
    spoil = (mutation.spoil_bytes, lambda content, luck: mutation.spoil_lines(content.decode(), luck))[number % 2]
    _, spoilt = spoil(text.encode(), luck)
    (tmp_path / "spoilt.yaml").write_bytes(spoilt)
    done = in_process("check", "spoilt.yaml", GROUNDLINGS_OFFLINE="1", GROUNDLINGS_DATA=str(tmp_path / "nothing"))
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr
    assert (done.returncode == 2) == done.stderr.startswith("error")


def _mutation():
    """The module beside this file; tests are no package."""
    found = importlib.util.spec_from_file_location("mutation", HERE / "mutation.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module

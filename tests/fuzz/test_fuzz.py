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


@pytest.mark.slow
def test_spoilt_files_end_in_a_valid_run_or_a_clear_error():
    done = subprocess.run(
        [sys.executable, HERE / "fuzz.py", "--yaml", "100", "--data", "30", "--replies", "0", "--seed", "1"],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "130 spoiled files, seed 1: 0 ended in neither" in done.stdout
    assert "valid run" in done.stdout


def test_spoilt_answers_of_a_model_server_end_in_an_event_or_a_clear_error():
    done = subprocess.run(
        [sys.executable, HERE / "fuzz.py", "--yaml", "0", "--data", "0", "--replies", "120", "--seed", "1"],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "120 spoiled files, seed 1: 0 ended in neither" in done.stdout
    assert "server replies: read" in done.stdout


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

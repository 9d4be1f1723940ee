"""What holds for every test: no remote model, known randomness, few threads.

Data sets and model weights are taken from the user's own cache, so that they are fetched once per machine and not once
per test run; a test that writes into a cache names a directory of its own with `GROUNDLINGS_DATA` or
`GROUNDLINGS_CACHE`.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from groundlings.environments.dataset import Dataset
    from groundlings.simulator.log.reader import LogReader

# One switch makes paid and remote model calls impossible; it must be set before anything of ours is imported.
os.environ["GROUNDLINGS_REMOTE"] = "forbid"
# Linear algebra takes one thread: the recommenders have threads of their own, and pools inside pools only wait for
# each other. Read once, when NumPy is imported.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

# `ci` gives the same verdict on the same code; `explore` looks for new counterexamples:
# HYPOTHESIS_PROFILE=explore make test
settings.register_profile(
    "ci", derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run of four arms (`small_log.py`); read it, never write it."""
    made = _beside("small_log")
    directory: Path = made.write_log(tmp_path_factory.mktemp("small"), made.some_arms())
    return directory


@pytest.fixture(scope="session")
def repeat_shop() -> Dataset:
    """A made-up shop in which people buy again (`repeat_shop.py`)."""
    dataset: Dataset = _beside("repeat_shop").repeat_shop()
    return dataset


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium (`chromium.py`); tests that need it are skipped where it is not installed, and fail in CI."""
    made = _beside("chromium")
    if made.chromium() is None:
        if os.environ.get("TEST_CHROMIUM") == "require":
            pytest.fail("TEST_CHROMIUM=require, and there is no Chromium")
        pytest.skip("needs Chromium")
    with made.started() as found:
        yield found


def _beside(name: str) -> ModuleType:
    """A module in this folder."""
    found = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made


@pytest.fixture(scope="session")
def small_log(small_run: Path) -> LogReader:
    """Its log, opened for reading."""
    from groundlings.simulator.log.reader import LogReader

    return LogReader(small_run)

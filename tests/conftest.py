"""What holds for every test: no remote model, known randomness, few threads.

Data sets and model weights are taken from the user's own cache, so that they are fetched once per machine and not once
per test run; a test that writes into a cache names a directory of its own with `GROUNDLINGS_DATA` or
`GROUNDLINGS_CACHE`.
"""

from __future__ import annotations

import gc
import importlib.util
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

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
# ranx compiles its metrics for half a minute in each process; on a few lists Python itself takes a tenth of a second.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# Python would look for cycles through all modules whenever a quarter more objects are there: a tenth of the time.
gc.set_threshold(100_000, 20, 20)

# `ci` gives the same verdict on the same code; `explore` looks for new counterexamples:
# HYPOTHESIS_PROFILE=explore make test
settings.register_profile(
    "ci", derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
# Hypothesis would parse all of our modules that a process has loaded and draw the constants found there: up to 40 s in
# each, and draws that depend on which tests ran before.
providers.is_local_module_file = lambda _path: False

TOGETHER = tuple(f"tests/experiments/labs/{lab}/" for lab in ("fidelity", "truth", "warmup"))
"""Folders whose files share an examination that takes long."""

APART = ("tests/notebooks/test_notebooks.py", "tests/experiments/running/test_resume.py")
"""Files that take long and whose tests share nothing."""

FIRST = (*APART, "tests/fuzz/", "tests/simulator/language/test_embedded.py", *TOGETHER, "tests/experiments/running/")
"""What workers begin with: what takes long, and what forks its process, which is small as yet."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts what is `FIRST` first, where there are several workers."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """One of several workers gets a folder that is `TOGETHER`, a file, or a test of a file that is `APART`.

    So what a folder or a file shares is made once, and no worker ends long after the other.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # by the number of tests in a file; it says little of how long they take
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            if file in APART:
                return nodeid
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return ByFileOrFolder(config, log)


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_look_through() -> None:
    """Lets go of what an earlier file left in cycles, and leaves the rest out of later collections.

    A worker holds millions of objects in the end, and statsmodels, irspack and pytest ask for full collections: up to
    nine seconds each.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Spares the end of a worker the same: pytest collects five times before it lets go."""
    gc.freeze()


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run of four arms (`small_log.py`); read it, never write it."""
    made = _beside("small_log")
    directory: Path = made.write_log(tmp_path_factory.mktemp("small"), made.some_arms())
    return directory


@pytest.fixture(scope="session", autouse=True)
def commands_of_one_process() -> Iterator[None]:
    """Spares commands that are called in this process what only a process of their own needs.

    Typer makes every command anew from its signature for each call of one, a tenth of what a small run takes; and a run
    lets a process beside it import what pictures need, which takes as long as the run.
    """
    import typer

    make, made = typer.main.get_command, dict[tuple[int, int, int], tuple[typer.Typer, Any]]()

    def kept(app: typer.Typer) -> Any:
        key = (id(app), len(app.registered_commands), len(app.registered_groups))
        if key not in made:
            made[key] = app, make(app)  # the app as well, so that no later one has its number
        return made[key][1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.main.get_command", kept)
        patched.setattr("typer.testing._get_command", kept)
        patched.setattr("groundlings.experiments.cli.main.drawing_beside", nullcontext)
        yield


@pytest.fixture
def quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that takes no time to draw: most of what a small run takes, for tests that look at no picture."""
    monkeypatch.setattr(
        "groundlings.experiments.analysis.report.write_report",
        lambda directory, *_: (directory / "report.html").write_text("drawn"),
    )


@pytest.fixture(scope="session")
def leave_pictures_blank() -> Callable[[pytest.MonkeyPatch], None]:
    """Has reports written without drawing: that takes longer than a small run, and most tests read words alone."""

    def patch(patched: pytest.MonkeyPatch) -> None:
        pictures = "groundlings.experiments.analysis.report.pictures"
        patched.setattr(f"{pictures}.Picture.drawn", lambda _: [])
        patched.setattr(f"{pictures}.Picture.inline", lambda picture, _: ["<svg></svg>" for _ in picture.panels])
        patched.setattr(f"{pictures}.ornaments", lambda _, names, *__: ["<svg></svg>" for _ in names])
        patched.setattr(f"{pictures}.sheet", lambda *_: b"")

    return patch


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch, leave_pictures_blank: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Reports of this test have no pictures."""
    leave_pictures_blank(monkeypatch)


@pytest.fixture(scope="session")
def leave_out_sheets() -> Callable[[pytest.MonkeyPatch], None]:
    """Has reports drawn into their page alone: the same panels once more as PNG take as long again."""

    def patch(patched: pytest.MonkeyPatch) -> None:
        patched.setattr("groundlings.experiments.analysis.report.pictures.sheet", lambda *_: b"")

    return patch


@pytest.fixture
def no_sheets(monkeypatch: pytest.MonkeyPatch, leave_out_sheets: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Reports of this test have pictures in their page alone."""
    leave_out_sheets(monkeypatch)


@pytest.fixture(scope="module")
def blank_pictures_in_file(leave_pictures_blank: Callable[[pytest.MonkeyPatch], None]) -> Iterator[None]:
    """Reports of all tests of a file have no pictures, nor do those of the runs that these tests share."""
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        yield


@pytest.fixture
def in_process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in the test's directory as `subprocess.run` would, but in this process: nothing is imported."""
    from groundlings.experiments.cli.main import main

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            for name, value in {"COLUMNS": "200", **environment}.items():
                patch.setenv(name, value)
            streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2)]
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            patch.setattr(sys, "argv", ["groundlings", *map(str, words)])
            patch.setattr(warnings, "showwarning", warnings.showwarning)
            # What a command does for its own short life would have this process keep what nobody needs any more.
            patch.setattr("groundlings.experiments.cli.main.collect_seldom", lambda: None)
            with pytest.raises(SystemExit) as left:
                main()
            out, errors = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
        assert isinstance(left.value.code, int)
        return subprocess.CompletedProcess(sys.argv[:1], left.value.code, out, errors)

    return run


@pytest.fixture
def pass_in_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], int]:
    """How many tests there are in a file of a user's project, all of which pass, as pytest finds them in its folder."""

    def run(file: Path) -> int:
        passed, failed = list[str](), list[str]()

        class Noted:
            def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
                if report.failed:
                    failed.append(report.longreprtext)
                elif report.passed and report.when == "call":
                    passed.append(report.nodeid)

        monkeypatch.chdir(file.parent)
        monkeypatch.syspath_prepend(file.parent)
        loaded = set(sys.modules)
        # What writes to streams of this process or belongs to a whole session has no place in the inner one.
        without = ("cacheprovider", "faulthandler", "xdist", "terminal")
        words = [word for name in without for word in ("-p", f"no:{name}")]
        status = pytest.main([*words, f"--rootdir={file.parent}", str(file)], plugins=[Noted()])
        for name in set(sys.modules) - loaded:
            if str(file.parent) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        assert (status, failed) == (pytest.ExitCode.OK, [])
        return len(passed)

    return run


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


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that finds what is wrong on a page for people who cannot see or click."""
    package = pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def fit_for_everybody(browser: Any, axe: str) -> Callable[[Path], None]:
    """Asserts that a page asks for nothing, prints on three pages without a cut table, and is without fault to axe on a
    desktop in the light and on a phone in the dark."""

    def look(path: Path) -> None:
        for width, height, dark in ((1400, 900, False), (390, 844, True)):
            page = browser.open(path, width, height, dark=dark)
            assert page.requests == [path.as_uri()]
            assert page.violations(axe) == []
            assert page.run("document.documentElement.scrollWidth") <= width
            if not dark:
                assert page.pages_on_paper() <= 3
                assert page.cut_on_paper() == []
            assert page.complaints == []
            page.close()

    return look


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

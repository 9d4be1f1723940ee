"""The command starts without loading what only a run needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("aiohttp", "duckdb", "implicit", "irspack", "matplotlib", "mesa", "numpy", "openai", "pandas", "pyarrow"),
    *("pydantic", "scipy", "sklearn", "sqlalchemy", "torch", "vllm", "xllamacpp"),
}


def loaded_by(code: str, directory: Path) -> set[str]:
    """The top-level modules that are in memory after some code has run in a fresh interpreter."""
    report = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    outcome = subprocess.run([sys.executable, "-c", report], cwd=directory, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(outcome.stderr.splitlines()[-1])}


@pytest.mark.parametrize(
    "code",
    [
        "import groundlings.experiments.cli.main",
        "import sys; sys.argv = ['groundlings', '--help']\n"
        "from groundlings.experiments.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass",
    ],
    ids=["import", "help"],
)
def test_nothing_heavy_is_loaded(code: str, tmp_path: Path) -> None:
    assert loaded_by(code, tmp_path) & HEAVY == set()


@pytest.mark.parametrize("package", ["environments", "personas", "recommenders", "simulator", "experiments"])
def test_a_room_can_be_entered_without_its_furniture(package: str, tmp_path: Path) -> None:
    assert loaded_by(f"import groundlings.{package}", tmp_path) & HEAVY == set()


def test_a_check_loads_nothing_that_only_a_run_or_its_report_needs(tmp_path: Path) -> None:
    toy = "dataset: {name: toy, toy: {n_users: 20, n_items: 30, interactions_per_user: 6}}"
    arms = "arms: [{name: a, recommender: popular}, {name: b, recommender: random_order}]"
    (tmp_path / "small.yaml").write_text(f"name: small\nseed: 1\n{toy}\nmind: behavioural\n{arms}\n")
    code = (
        "import sys; sys.argv = ['groundlings', 'check', 'small.yaml']\n"
        "from groundlings.experiments.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    needless = {"implicit", "irspack", "matplotlib", "mesa", "openai", "pandas", "ray", "sklearn", "torch"}
    assert loaded_by(code, tmp_path) & needless == set()


def test_who_reads_a_log_loads_nothing_that_simulates_or_reads_an_experiment_file(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from groundlings.experiments.cli.main import main\n"
        "def loaded_by(command, *rooms):\n"
        "    sys.argv = ['groundlings', command, 'nowhere']\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 2, end\n"
        "    return [name for name in sys.modules if name.startswith(rooms)]\n"
        "running = 'groundlings.experiments.running'\n"
        "assert not loaded_by('digest', running, 'groundlings.experiments.config')\n"
        "assert not loaded_by('report', running, 'groundlings.experiments.config.schema')\n"
    )
    assert "sqlalchemy" in loaded_by(code, tmp_path)

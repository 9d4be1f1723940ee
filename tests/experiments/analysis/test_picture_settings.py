"""Pictures look the same whatever settings of matplotlib a user has, and whatever its environment says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundlings.experiments.analysis.report.svg import svg

DRAWN = """
import hashlib, os
from groundlings.experiments.analysis.report.svg import svg
drawn = svg(lambda axes: axes.plot([0, 1], [0, 1]), "name", "label", 3.0, 2.0)
print(hashlib.sha256(drawn.encode()).hexdigest(), os.environ.get("MPLBACKEND"), os.environ.get("MATPLOTLIBRC"))
"""


def drawn(**environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "MATPLOTLIB"))}
    done = subprocess.run([sys.executable, "-c", DRAWN], env=kept | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def usual() -> str:
    return hashlib.sha256(svg(lambda axes: axes.plot([0, 1], [0, 1]), "name", "label", 3.0, 2.0).encode()).hexdigest()


@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        ("no_such_backend", None),
        ("module://not_there", b"text.usetex: True\nfont.size: 30\naxes.grid: True\n"),
        ("tkagg", b"\xff\xfe broken"),
    ],
)
def test_no_window_system_is_needed_and_neither_backend_nor_settings_of_the_user_change_anything(
    backend: str, settings: bytes | None, usual: str, tmp_path: Path
):
    environment = {"MPLBACKEND": backend}
    if settings is not None:
        (tmp_path / "matplotlibrc").write_bytes(settings)
        environment["MATPLOTLIBRC"] = str(tmp_path / "matplotlibrc")
    assert drawn(**environment) == [usual, backend, environment.get("MATPLOTLIBRC", "None")]

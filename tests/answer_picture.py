"""Makes docs/answer.png: the first screen of the report of experiments/configs/ab_movielens.yaml, as Chromium shows it.

make picture    after a change of what that screen shows
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from chromium import started

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "answer.png"
WIDTH = 1280
FIRST_SCREEN = ".ranking, .beside-table"
"""Its table, and the notes below it."""


def main() -> None:
    """Run the experiment where nothing stays, and store the picture of its report."""
    with tempfile.TemporaryDirectory() as here, started() as browser:
        run = Path(here) / "ab"
        config = ROOT / "experiments" / "configs" / "ab_movielens.yaml"
        subprocess.run([sys.executable, "-m", "groundlings", "run", str(config), "--out", str(run)], check=True)
        page = browser.open(run / "report.html")
        PICTURE.write_bytes(page.picture_down_to(FIRST_SCREEN, WIDTH))
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

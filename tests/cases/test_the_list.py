"""The table of cases names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_case_names_a_test_that_is_there():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (HERE / "README.md").read_text(encoding="utf-8"))
    assert len(named) > 70
    missing = [
        f"{file}::{test}"
        for file, test in named
        if f"def {test}(" not in (HERE.parent / file).read_text(encoding="utf-8")
    ]
    assert missing == []

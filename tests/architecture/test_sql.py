"""One package owns the log's schema: no code outside of it names its tables in SQL, except the metrics' own queries."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from groundlings.simulator.log.tables import metadata

PACKAGES = ("environments", "personas", "recommenders", "simulator", "experiments")
ROOT = Path(__file__).parents[2]
OWNER = ROOT / "simulator" / "log"
METRICS = ROOT / "experiments" / "analysis" / "metrics"
DECLARED = (
    *(METRICS / f"{name}.py" for name in ("definitions", "declaration", "shop", "search", "conversation", "returning")),
    ROOT / "recommenders" / "language" / "tools" / "catalogue.py",  # a database of its own, with a table of that name
)
KEYWORD = re.compile(r"FROM|JOIN|INTO|UPDATE|TABLE")
SQL = re.compile(rf"\b({KEYWORD.pattern})\s+({'|'.join(metadata.tables)})\b")


def queries(code: str) -> list[str]:
    """Texts in code that name a table of ours in SQL; docstrings may show such."""
    if not KEYWORD.search(code):  # of a thousand files few are worth the time that parsing takes
        return []
    tree = ast.parse(code)
    shown = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [node.value for node in texts if id(node) not in shown and SQL.search(node.value)]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_query_on_the_log_stands_outside_of_its_room(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): told
        for path in sorted((ROOT / package).rglob("*.py"))
        if OWNER not in path.parents and path not in DECLARED and (told := queries(path.read_text(encoding="utf-8")))
    }
    assert not found


def test_a_query_is_seen_for_what_it_is() -> None:
    assert queries('"""FROM runs"""\nrows = ask("SELECT 1 FROM sessions JOIN arms")') == [
        "SELECT 1 FROM sessions JOIN arms"
    ]
    assert queries('rows = ask(f"SELECT {what} FROM sessions WHERE x")'), "parts of a format string count as well"
    assert queries(DECLARED[0].read_text(encoding="utf-8"))

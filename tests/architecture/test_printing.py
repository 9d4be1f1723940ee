"""What is printed passes one door, `experiments/terminal.py`; this finds whatever would go around it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("environments", "personas", "recommenders", "simulator", "experiments", "src/groundlings")
DOOR = ROOT / "experiments/terminal.py"
STREAMS = ROOT / "experiments/cli/streams.py"
LOGGERS = {ROOT / "environments/cleaning.py", ROOT / "simulator/__init__.py", ROOT / "experiments/__init__.py"}

PRINTING = {
    "print": "say",
    "Console": "Terminal",
    "echo": "say",
    "secho": "say",
    "from_markup": "escape",
    "Text": "plain",
}
"""A call that prints or makes something to print -> what stands for it behind the door."""
TOLD = re.compile("|".join([*PRINTING, "getLogger", "stdout", "stderr", "markup"]))
"""Without one of these names nothing is found."""


def modules() -> list[Path]:
    """Every module of the package that a clone holds."""
    found = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return [
        path for path in found if not any(part.is_symlink() for part in path.parents) and path not in (DOOR, STREAMS)
    ]


def ways_around(source: str, *, may_log: bool = False) -> list[str]:
    """What in a module's source prints without the door, a line each."""
    found = []
    # Of a thousand files few are worth the time that parsing takes.
    for node in ast.walk(ast.parse(source)) if TOLD.search(source) else ():
        if isinstance(node, ast.Call):
            name = _name(node.func)
            if name in PRINTING and not (name == "print" and isinstance(node.func, ast.Attribute)):  # of a console
                found.append(f"{node.lineno}: {name}(; take {PRINTING[name]} of experiments/terminal.py")
            elif name == "getLogger" and not may_log:
                found.append(f"{node.lineno}: getLogger(; take logger of environments/cleaning.py")
        elif isinstance(node, ast.keyword) and _name(node.value) == "print":  # handed over to be called elsewhere
            found.append(f"{node.value.lineno}: {node.arg}=print; take say of experiments/terminal.py")
        elif isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and _name(node.value) == "sys":
            found.append(f"{node.lineno}: sys.{node.attr}; take say of experiments/terminal.py")
        elif isinstance(node, ast.ImportFrom) and node.module == "rich.markup":
            found.append(f"{node.lineno}: rich.markup; take escape of experiments/terminal.py")
    return found


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


_UNQUOTED = re.compile(r"groundlings [a-z][a-z-]*(?: [^`\"{}]*)? \{(?!(?:escape\()?shlex\.quote)")
"""A command in a message with a value in it that a shell would take apart where it holds a space."""


def test_a_command_in_a_message_can_be_copied_into_a_shell() -> None:
    found = {
        str(path.relative_to(ROOT)): commands
        for path in modules()
        if (commands := _UNQUOTED.findall(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_nothing_prints_around_the_door() -> None:
    found = {
        str(path.relative_to(ROOT)): ways
        for path in modules()
        if (ways := ways_around(path.read_text(encoding="utf-8"), may_log=path in LOGGERS))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "print('x')",
        "console = rich.console.Console()",
        "typer.echo(name)",
        "sys.stdout.write(name)",
        "from rich.markup import escape",
        "Text(title)",
        "Text.from_markup(title)",
        "_logger = logging.getLogger(__name__)",
        "load(config, notify=print)",
    ],
)
def test_a_way_around_would_be_found(line: str) -> None:
    assert len(ways_around(line)) == 1

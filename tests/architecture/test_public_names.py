"""What `import groundlings` offers: everything it lists, nothing loaded before it is used, an example with each."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import groundlings

HEAVY = ["numpy", "pandas", "sqlalchemy", "pydantic", "scipy", "matplotlib", "pyarrow", "yaml", "rich"]
DOORS = ["Experiment", "Run", "Tables", "Comparison", "open_run", "resume", "refitted"]


@pytest.mark.parametrize("name", groundlings.__all__)
def test_every_name_that_is_listed_is_there(name):
    assert getattr(groundlings, name) is not None
    assert name in dir(groundlings)


def test_every_name_has_one_home_and_is_known_to_type_checkers():
    listed = [name for names in groundlings._HOMES.values() for name in names]
    assert sorted(listed) == sorted(set(groundlings.__all__) - {"__version__"})
    tree = ast.parse(Path(inspect.getfile(groundlings)).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(listed)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Experimnet'"):
        _ = groundlings.Experimnet


def test_importing_it_loads_nothing_heavy(tmp_path):
    code = "import groundlings, json, sys; dir(groundlings); print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", DOORS)
def test_the_doors_are_documented_with_an_example(name):
    found = getattr(groundlings, name)
    blocks = [found] if inspect.isfunction(found) else [found, *_methods_with_arguments(found)]
    for each in blocks:
        text = inspect.getdoc(each) or ""
        assert "\n    " in text, f"{each} shows no example"


def _methods_with_arguments(found: type) -> list[object]:
    """The public methods of a class that take something."""
    return [
        method
        for name, method in inspect.getmembers(found, inspect.isfunction)
        if not name.startswith("_") and name in ("check", "run", "resume", "history", "compare", "metrics")
    ]

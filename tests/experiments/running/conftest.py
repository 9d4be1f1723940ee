"""Runs that end in the middle, and modules of one's own that can be written again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.replicates import run_as_configured
from groundlings.simulator.log.writer import LogWriter

TOY = {"name": "toy", "toy": {"n_users": 12, "n_items": 24, "interactions_per_user": 6}}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of one's own beside the experiment file; it can be written again."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = iter(range(100))

    def written(content: str, name: str | None = None) -> str:
        name = name or f"own_{tmp_path.name}_{next(names)}"
        (tmp_path / f"{name}.py").write_text(content)
        return name

    return written


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """A run that ends after its first cohort; its directory."""

    def begun(**changes) -> Path:
        content = {"name": "small", "seed": 3, "dataset": TOY, "mind": "scripted", "simulation": {"days": 2}, **changes}
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(content))
        write, count = LogWriter.write, 0

        def failing(self, *arguments, **named):
            nonlocal count
            count += 1
            if count == 2:
                raise RunDirectoryError("out of luck")
            write(self, *arguments, **named)

        with monkeypatch.context() as patched:
            patched.setattr(LogWriter, "write", failing)
            with pytest.raises(RunDirectoryError, match="out of luck"):
                run_as_configured(load_config(path), tmp_path / "run")
        return tmp_path / "run"

    return begun

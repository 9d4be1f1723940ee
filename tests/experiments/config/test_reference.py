"""The printed reference of the experiment file says what the code does."""

from __future__ import annotations

from pathlib import Path

from groundlings.experiments.config.reference import reference
from groundlings.experiments.config.schema import ExperimentConfig

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference.md"


def test_the_document_is_what_the_command_prints():
    assert DOCUMENT.read_text(encoding="utf-8") == reference(), "groundlings schema > docs/reference.md"


def test_every_key_is_explained():
    lines = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(lines) > 40
    for line in lines:
        meaning = line.rstrip("| ").rpartition("|")[2].strip()
        assert len(meaning) > 5, line
    for name in set(ExperimentConfig.model_fields) - {"base"}:
        assert any(line.startswith(f"| `{name}`") for line in lines)

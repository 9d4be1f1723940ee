"""What a stranger must know of a training part, as JSON for programs and Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from groundlings.environments.cleaning import printable, printable_json
from groundlings.experiments.archive.directory import write_text

JSON_NAME = "datasheet.json"
MARKDOWN_NAME = "DATASHEET.md"

DEFINITIONS: Mapping[str, str] = {
    "train": "the interactions that personas and recommenders may know, by time, then user",
    "users": "the users who become agents: a recommender has to have a ranking for each of them",
    "items": "the items that may be recommended",
    "excluded": "what is left out of each user's list on the first day: items of the user's own training part",
    "held_out": "the interactions that arms are measured on",
    "user_id, item_id": "ids as the data set's own files have them",
    "timestamp": "seconds since 1970 in UTC; of a finer clock, decimal seconds in CSV and timestamps in Parquet",
}


def write_datasheet(directory: Path, facts: Mapping[str, Any], notes: Sequence[str]) -> None:
    """Write both forms into a directory."""
    content = {**facts, "definitions": dict(DEFINITIONS), "notes": list(notes)}
    write_text(directory / JSON_NAME, printable_json(content) + "\n")
    write_text(directory / MARKDOWN_NAME, markdown(content))


def markdown(content: Mapping[str, Any]) -> str:
    """The facts for people."""
    lines = [f"# The training part of {printable(str(content['experiment']))}", ""]
    lines += [
        "A model that learns from these files alone knows nothing of the held-out part that it is measured on. Bring "
        "its rankings back with the recommender `external`.",
        "",
    ]
    for part in ("dataset", "split", "population"):
        lines += [f"## {part.capitalize()}", ""]
        lines += [f"- {key.replace('_', ' ')}: {_said(value)}" for key, value in content[part].items()]
        lines.append("")
    lines += ["## Files", "", "| file | rows | columns | SHA-256 |", "|---|---|---|---|"]
    for name, about in content["files"].items():
        lines.append(f"| `{name}` | {about['rows']:,} | {', '.join(about['columns'])} | `{about['sha256']}` |")
    lines += ["", "## What the words mean", ""]
    lines += [f"- **{name}**: {meaning}" for name, meaning in content["definitions"].items()]
    lines += ["", "## To keep in mind", ""]
    lines += [f"- {printable(note)}" for note in content["notes"]]
    return "\n".join(lines) + "\n"


def _said(value: Any) -> str:
    if value is None:
        return "does not apply"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(str(value))

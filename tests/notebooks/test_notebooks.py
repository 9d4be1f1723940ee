from __future__ import annotations

import base64
import copy
import re
import sys
from pathlib import Path

import nbformat
import pytest

sys.path.append(str(Path(__file__).parent))

from stored_outputs import FINGERPRINT, FOLDER, MOST_BYTES, execute, fingerprint, read, tidied

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# A notebook has to hold these itself, in a cell: a test that only runs it would not miss them.
CLAIMS = {
    "first_experiment": ["assert again.digest == outcome.digest"],
    "reading_the_log": ['arm.metrics["view_ratio"].mean', "curves[arm].share", "assert len(impressions) == logged"],
    "from_python": [
        "assert impressions.clicked.notna().all()",
        'assert comparison.verdict in {"validated", "indicative", "not supported"}',
        "assert again.digest == run.digest",
    ],
    "ab_test": [
        "assert draws.same_draw.item() == 1",
        "assert (same.difference, same.low, same.high) == (0, 0, 0)",
        "assert losses[0] == 0",
    ],
    "warming_up": [
        'assert not pool & test, "no test pair is in a pool"',
        "assert all(one > other for one, other in zip(audience.seeds, chance_arm.seeds, strict=True))",
    ],
}


SHOW_THEIR_REPORTS = {"first_experiment"}
"""Notebooks that look at a picture of a report."""
STARTUP = """
from groundlings.experiments.analysis.report import pictures

pictures.Picture.drawn = lambda _: []
pictures.Picture.inline = lambda picture, _: ["<svg></svg>" for _ in picture.panels]
pictures.ornaments = lambda _, names, *__: ["<svg></svg>" for _ in names]
pictures.sheet = lambda *_: b""
del pictures
"""
"""What a kernel runs before the others: their reports' pictures, which nobody sees, are blank, as in `conftest.py`."""


def test_the_notebooks_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(CLAIMS)


def outputs_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts_of(notebook: nbformat.NotebookNode) -> list[tuple[str, str, str]]:
    """Cell, kind and text of every output that is not a picture."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            held = {"text": output.text} if "text" in output else output.get("data", {})
            found += [(cell.id, kind, text) for kind, text in sorted(held.items()) if kind != "image/png"]
    return found


def without_figures(text: str) -> str:
    """The words alone: other versions of libraries change last digits, and with them widths and colours."""
    words = re.sub(r"\x1b\[[\d;]*m|<[^>]+>|\N{BOX DRAWINGS LIGHT HORIZONTAL}+", " ", text)
    return " ".join(re.sub(r"\b[0-9a-f]{64}\b|[-+\N{MINUS SIGN}]?\d[\d.,e]*", "#", words).split())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_stored_with_what_its_code_shows(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info", FINGERPRINT}
    assert notebook.metadata[FINGERPRINT] == fingerprint(notebook), "its code was changed since: make notebooks"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    pictures = [output.data["image/png"] for output in outputs_of(notebook) if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    assert max(len(base64.b64decode(picture)) for picture in pictures) < MOST_BYTES
    assert {output.output_type for output in outputs_of(notebook)} <= {"stream", "display_data", "execute_result"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_holds_no_trace_of_a_machine_or_a_moment(path: Path) -> None:
    notebook = read(path)
    assert [cell.id for cell in notebook.cells if cell.metadata] == [], "metadata of an editor, or times of execution"
    traces = {
        "an address in memory": r"\b0x[0-9a-f]{6,}",
        "a directory": r"groundlings-[a-z0-9_]{8}\b",
        "the number of a run": r"\b20\d{6}T\d{6}-[0-9a-f]{6}",
        "a time": r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d",
    }
    found = [
        f"{cell}: {what}: {text[:60]}"
        for cell, _, text in texts_of(notebook)
        for what, pattern in traces.items()
        if re.search(pattern, text)
    ]
    assert found == []


def test_what_a_machine_or_a_moment_put_into_an_output_is_taken_out() -> None:
    cell = nbformat.v4.new_code_cell("1", id="one", metadata={"execution": {"started": "now"}})
    text = "/any/groundlings-ab12_x9z/run/log.db <T at 0x7fb3f8d38650> 20261128T194251-ef4ab5 2026-11-28T19:42:51+00:00"
    styled = '<style>#T_1a2b3_row0 {}</style><table id="T_1a2b3"><td id="T_1a2b3_row0">'
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output("stream", name="stdout", text=" more"),
        nbformat.v4.new_output("execute_result", data={"text/html": styled}),
    ]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    stored = tidied(copy.deepcopy(notebook), nbformat.NotebookNode())
    assert texts_of(stored) == [
        ("one", "text", "DIRECTORY/run/log.db <T> RUN TIME more"),
        ("one", "text/html", styled.replace("T_1a2b3", "T_one")),
    ]
    assert stored.cells[0].metadata == {}
    stored.cells[0].source = "2"
    assert stored.metadata[FINGERPRINT] != fingerprint(stored)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asserts_what_it_claims(path: Path) -> None:
    code = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")
    for claim in CLAIMS[path.stem]:
        assert claim in code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_writes_into_its_temporary_directory_alone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # no startup files of the person who runs the tests
    if path.stem not in SHOW_THEIR_REPORTS:
        startup = tmp_path / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "blank.py").write_text(STARTUP)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = read(path)
    stored = copy.deepcopy(notebook)
    execute(notebook, here)

    outputs = outputs_of(notebook)
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert list(here.iterdir()) == []
    assert [left.name for left in temporary.iterdir() if left.name.startswith("groundlings-")] == []
    now = texts_of(tidied(notebook, stored.metadata))
    assert [(cell, kind) for cell, kind, _ in now] == [(cell, kind) for cell, kind, _ in texts_of(stored)]
    drifted = [
        (told, held)
        for (_, _, told), (_, _, held) in zip(now, texts_of(stored), strict=True)
        if without_figures(told) != without_figures(held)
    ]
    assert drifted == [], "what is stored is no longer what is shown: make notebooks"

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
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


class ThisInterpreter(AsyncKernelManager):
    """Starts the kernel with the Python that runs the tests, whatever kernels the machine has registered."""

    shutdown_wait_time = 60.0  # seconds, to remove the temporary directory in peace

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(argv=make_ipkernel_cmd(executable=sys.executable), language="python", display_name="tests")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_the_notebooks_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(CLAIMS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_valid_and_holds_no_trace_of_a_run(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"{cell.id}: has outputs"
        assert cell.get("execution_count") is None, f"{cell.id}: was counted"
        assert not cell.metadata, f"{cell.id}: has metadata of an editor"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


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
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = read(path)

    # Given the class and not a kernel, the client also shuts the kernel down before it returns.
    client = NotebookClient(
        notebook, kernel_manager_class=ThisInterpreter, timeout=300, resources={"metadata": {"path": str(here)}}
    )
    client.execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert list(here.iterdir()) == []
    assert [left.name for left in temporary.iterdir() if left.name.startswith("groundlings-")] == []

"""Runs the notebooks and stores them with what they show, so that they can be read where nothing can be run.

    make notebooks                         all of them
    make notebooks ARGS="first_experiment" one of them

What a machine or a moment puts into outputs is taken out, so that two executions of the same code store the same text:
paths of temporary directories, numbers of runs, times, addresses in memory, random names in styled tables. Pictures are
stored with a palette, and smaller where they are still large. The notebook's metadata keep a fingerprint of the code
that was executed; a test compares it with the code that stands there.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import nbformat
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parents[2] / "notebooks"
FINGERPRINT = "executed_code"
"""Key of a notebook's metadata: SHA-256 of the code whose outputs are stored."""
MOST_BYTES = 100_000
"""Of a stored picture."""
_TEMPORARY = r"/[^\s'\"<>:]*?/groundlings-[A-Za-z0-9_]+"
_RUN = re.compile(r"\b20\d{6}T\d{6}-[0-9a-f]{6}\b")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")
_STYLED = re.compile(r"\bT_[0-9a-f]{5}(?=[_\s\"#{ ])")
_COLOURS = 128


class ThisInterpreter(AsyncKernelManager):
    """Starts the kernel with the Python that runs this, whatever kernels the machine has registered."""

    shutdown_wait_time = 60.0  # seconds, to remove the temporary directory in peace

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(argv=make_ipkernel_cmd(executable=sys.executable), language="python", display_name="tests")


def read(path: Path) -> NotebookNode:
    """A notebook file."""
    return nbformat.read(path, as_version=4)


def fingerprint(notebook: NotebookNode) -> str:
    """SHA-256 of all code of a notebook, in order."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def execute(notebook: NotebookNode, here: Path) -> None:
    """Run every cell, in a kernel of this Python that works in a directory; stops at the first error."""
    # Given the class and not a kernel, the client also shuts the kernel down before it returns.
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisInterpreter,
        timeout=600,
        record_timing=False,
        resources={"metadata": {"path": str(here)}},
    )
    client.execute()


def tidied(notebook: NotebookNode, metadata: NotebookNode) -> NotebookNode:
    """An executed notebook as it is stored.

    Args:
        notebook: With outputs; it is changed.
        metadata: Of the file, from before the execution.
    """
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        outputs = []
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("image/png", None)
            # Parts of one stream arrive as they were flushed.
            if outputs and output.output_type == "stream" and outputs[-1].get("name") == output.name:
                outputs[-1].text += output.text
            else:
                outputs.append(output)
        if cell.cell_type == "code":
            cell.outputs = outputs
        for output in outputs:
            if "text" in output:
                output.text = _impersonal(output.text, cell.id)
            for kind, held in output.get("data", {}).items():
                output.data[kind] = _smaller(held) if kind == "image/png" else _impersonal(held, cell.id)
    notebook.metadata = NotebookNode({**metadata, FINGERPRINT: fingerprint(notebook)})
    return notebook


def store(path: Path) -> None:
    """Run a notebook and write it back with its outputs."""
    notebook = read(path)
    metadata = notebook.metadata
    with tempfile.TemporaryDirectory() as here:
        execute(notebook, Path(here))
    nbformat.write(tidied(notebook, metadata), path)


def _impersonal(text: str, cell: str) -> str:
    text = _TIME.sub("TIME", _RUN.sub("RUN", re.sub(_TEMPORARY, "DIRECTORY", text)))
    text = _ADDRESS.sub("", text)
    return _STYLED.sub("T_" + re.sub(r"\W", "_", cell), text)


def _smaller(encoded: str) -> str:
    """A picture with few colours, and of fewer pixels until it is small enough, as base64."""
    picture = Image.open(BytesIO(base64.b64decode(encoded))).convert("RGB")
    while True:
        into = BytesIO()
        picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(into, "png", optimize=True)
        if into.tell() < MOST_BYTES:
            return base64.b64encode(into.getvalue()).decode()
        picture = picture.resize((picture.width * 4 // 5, picture.height * 4 // 5), Image.Resampling.LANCZOS)


def main() -> None:
    """Store the notebooks that are named, or all of them."""
    known = {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="NAME", help=f"of {', '.join(known)}")
    os.environ.pop("MPLBACKEND", None)
    for name in parser.parse_args().names or known:
        print(name, flush=True)
        store(known[name])


if __name__ == "__main__":
    main()

"""New directories that appear whole or not at all, and folder names for arms."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import why_not


def check_free(out: Path) -> None:
    """Return if an export may be written there.

    Raises:
        RunDirectoryError: Something lies there already.
    """
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise RunDirectoryError(
            f"{out}: there is something already, and an export never overwrites anything; "
            "choose another --out or remove it first"
        )


@contextmanager
def new_directory(out: Path) -> Iterator[Path]:
    """A directory to write into, which becomes `out` when the block ends well and is removed when it does not.

    Raises:
        RunDirectoryError: `out` is taken, cannot be made, or the disk is full.
    """
    check_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as fault:
        raise RunDirectoryError(f"{out}: cannot be made ({fault.strerror}); choose another --out") from None
    try:
        draft.chmod(0o755)  # a temporary directory is private; an export is an ordinary one
        yield draft
        check_free(out)
        draft.replace(out)
    except OSError as fault:
        raise RunDirectoryError(
            f"{out}: cannot be written ({why_not(fault, out.parent)}); nothing was left behind"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def folder_names(arms: Sequence[str]) -> list[str]:
    """A folder name for each arm: what is not a letter, digit, dot or dash becomes `_`; all differ.

    Case counts for nothing, because some file systems do not tell it apart.
    """
    names: list[str] = []
    taken: set[str] = set()
    for arm in arms:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", arm).strip("._") or "arm"
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        names.append(name)
    return names

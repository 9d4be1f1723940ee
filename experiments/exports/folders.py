"""New directories that appear whole or not at all, and folder names for arms."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from groundlings.environments.addresses import not_written
from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.leftovers import is_abandoned
from groundlings.experiments.archive.directory import why_not


def check_free(out: Path) -> None:
    """Return if an export may be written there.

    Raises:
        RunDirectoryError: Something lies there already, or it is an address.
    """
    if address := not_written(out):
        raise RunDirectoryError(f"{out}: {address}")
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise RunDirectoryError(
            f"{out}: there is something already, and an export never overwrites anything; "
            "choose another --out or remove it first"
        )


@contextmanager
def new_directory(out: Path) -> Iterator[Path]:
    """A directory to write into, which becomes `out` when the block ends well and is removed when it does not.

    What exports to `out` that were killed have left beside it is removed once this one has succeeded.

    Raises:
        RunDirectoryError: `out` is taken, cannot be made, or the disk is full.
    """
    check_free(out)
    with draft_beside(out) as draft:
        try:
            yield draft
            check_free(out)
            (draft / _LOCK).unlink(missing_ok=True)
            draft.replace(out)
        except OSError as fault:
            raise RunDirectoryError(
                f"{out}: cannot be written ({why_not(fault, out.parent)}); nothing was left behind"
            ) from None
    for left in abandoned_drafts(out.parent, out.name):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def draft_beside(out: Path) -> Iterator[Path]:
    """A hidden directory beside `out`, which goes away with the block; after a kill it is known as abandoned.

    Raises:
        RunDirectoryError: It cannot be made.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=_DRAFT, dir=out.parent))
    except OSError as fault:
        raise _not_made(out, fault) from None
    lock = FileLock(draft / _LOCK)
    try:
        try:
            lock.acquire(blocking=False)
            draft.chmod(0o755)  # a temporary directory is private; an export is an ordinary one
        except OSError as fault:
            raise _not_made(out, fault) from None
        yield draft
    finally:
        lock.release()
        shutil.rmtree(draft, ignore_errors=True)


def _not_made(out: Path, fault: OSError) -> RunDirectoryError:
    return RunDirectoryError(f"{out}: cannot be made ({fault.strerror}); choose another --out")


def abandoned_drafts(folder: Path, name: str | None = None) -> list[Path]:
    """What exports that were killed have left in a folder, and nobody is writing any more.

    Args:
        folder: Where the exports were to lie.
        name: Of the export; any where absent.
    """
    prefix = "." if name is None else f".{name}."
    found = [
        path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if path.name.startswith(prefix) and path.name.endswith(_DRAFT) and path.is_dir() and not path.is_symlink()
    ]
    if name is not None:  # a draft of `a.b` is none of `a`
        found = [path for path in found if "." not in path.name.removeprefix(prefix).removesuffix(_DRAFT)]
    return [path for path in found if _is_abandoned(path)]


def _is_abandoned(draft: Path) -> bool:
    """Whether whoever was writing a draft is gone; a lock does not outlive its process."""
    try:
        if not (draft / _LOCK).is_file():  # it is about to be written or renamed, or its writer was killed just then
            return is_abandoned(draft)
        with FileLock(draft / _LOCK, timeout=0):
            return True
    except (Timeout, OSError):
        return False


_DRAFT, _LOCK = ".groundlings-draft", ".lock"
"""The end of a draft's name, by which it is told from what others have made; and what its writer holds."""


def folder_names(arms: Sequence[str]) -> list[str]:
    """A folder name for each arm: what is not a letter, digit, dot or dash becomes `_`; all differ.

    Case counts for nothing, because some file systems do not tell it apart. Long names are cut: file systems take 255
    bytes, some fewer. None ends as a file that may lie beside it.
    """
    names: list[str] = []
    taken: set[str] = set()
    for arm in arms:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", arm).strip("._")[:_LONGEST].strip("._") or "arm"
        plain = _OF_A_FILE.sub(r"_\1", plain)
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def partition_value(arm: str) -> str:
    """An arm's name as Hive has it in the name of a folder, `arm=NAME`; a long one is cut and ends with its hash."""
    value = quote(arm, safe="")
    if len(value) <= _LONGEST_VALUE:
        return value
    whole = re.match(rf"(?:%[0-9A-F]{{2}}|[^%]){{0,{_LONGEST // 3}}}", value)
    assert whole is not None, "nothing at all would do"
    return f"{whole[0]}-{hashlib.sha256(arm.encode()).hexdigest()[:8]}"


_OF_A_FILE = re.compile(r"\.(csv|tsv|json|md|html|parquet)$", re.IGNORECASE)

_LONGEST, _LONGEST_VALUE = 100, 200
"""Characters of the name of a folder."""

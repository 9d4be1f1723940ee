"""Compiled templates, kept for the next command: compiling all of a page takes longer than filling them in."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import jinja2
from jinja2.bccache import Bucket

from groundlings import __version__
from groundlings.environments.errors import UserError
from groundlings.environments.leftovers import SIGNS, remove_leftovers
from groundlings.environments.paths import CACHE_VARIABLE, is_ours, user_cache

_DRAFT = "tmp"
"""Drafts begin so, the names of what is kept do not."""


class TemplateCache(jinja2.BytecodeCache):
    """A file per template in the user's cache directory; where none can be kept, templates are compiled each time.

    Jinja compares the checksum of a template's source and the version of Python. A file that somebody else can write is
    not read, because what is in it is run.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, unless nothing is kept that can be trusted."""
        directory = _directory()
        if directory is None:
            return
        kept = directory / bucket.key
        with suppress(OSError):
            if is_ours(directory) and is_ours(kept):
                with kept.open("rb") as file:
                    bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what is in the bucket, whole or not at all."""
        directory = _directory()
        if directory is None:
            return
        with suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
            remove_leftovers(directory, f"{_DRAFT}{SIGNS}")
            with NamedTemporaryFile(dir=directory, prefix=_DRAFT, delete=False) as draft:
                try:
                    bucket.write_bytecode(draft)
                    draft.flush()
                    Path(draft.name).replace(directory / bucket.key)
                except BaseException:
                    Path(draft.name).unlink(missing_ok=True)
                    raise


@cache
def _directory() -> Path | None:
    """Of these versions of Jinja and of this package; None where the account has no cache."""
    with suppress(UserError, OSError):
        return user_cache(CACHE_VARIABLE) / "templates" / f"{__version__}-{jinja2.__version__}"
    return None

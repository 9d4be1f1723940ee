"""Versions of installed packages, each read once."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def version_of(distribution: str) -> str:
    """The version of a distribution that is installed here.

    It is asked once: what a process has imported does not change any more, and each reading of its metadata takes
    milliseconds.

    Raises:
        importlib.metadata.PackageNotFoundError: No distribution of that name is installed.
    """
    return version(distribution)

"""How digests name the version of what they hash."""

from __future__ import annotations

import json
from collections.abc import Mapping

DIGEST_VERSION = 2
"""Of the digest that runs begin with."""

_KEY = "digest"

WITH_DIGEST: Mapping[str, str] = {_KEY: str(DIGEST_VERSION)}
"""What the row of a run says of it in `runs.versions`, beside versions of packages."""

_SHOWN = 12
"""Hexadecimal digits that are shown where there is no room for all."""


def begun_with(versions: str) -> int:
    """The version of the digest that a run began with.

    Args:
        versions: `runs.versions`; a run of before there were versions names none.
    """
    try:
        return int(json.loads(versions)[_KEY])
    except (KeyError, TypeError, ValueError, RecursionError):
        return 1


def named(version: int, hexadecimal: str) -> str:
    """A digest behind its version; the first version is not named, as before there were others."""
    return hexadecimal if version == 1 else f"v{version}:{hexadecimal}"


def version_in(digest: str) -> int:
    """The version of a digest; 1 where it names none."""
    version, colon, _ = digest.rpartition(":")
    return int(version.removeprefix("v")) if colon else 1


def shortened(digest: str) -> str:
    """The beginning of a digest, by which people tell it from others."""
    version, colon, hexadecimal = digest.rpartition(":")
    return f"{version}{colon}{hexadecimal[:_SHOWN]}"

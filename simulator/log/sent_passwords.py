"""Passwords that were sent to a server, kept out of what it says: a server may repeat them in its errors."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any

from groundlings.simulator.language.key_echoes import HIDDEN, KeyEchoes

_SHORTEST = 3
"""Characters of a password that is looked for as a word of its own; `KeyEchoes` finds longer ones in any form."""

_sent: set[str] = set()


def note_password(password: str | None) -> None:
    """Keep in mind what a connection was opened with, from wherever the driver had it."""
    if password:
        _sent.add(password)


def without_passwords(said: str, fault: Any, where: object) -> str:
    """What a server said, without a password that it was sent.

    Args:
        said: Its words.
        fault: The driver's error, which knows the password of a connection that failed.
        where: The log as messages call it; what stands there is no secret, as where a password is the user's name.
    """
    note_password(os.environ.get("PGPASSWORD"))
    with suppress(Exception):  # a connection that is closed no longer knows it
        note_password(fault.pgconn.password.decode())
    keys = [each for each in _sent if len(each) >= _SHORTEST and each not in str(where)]
    for key in keys:
        said = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", HIDDEN, said)
    return KeyEchoes(*keys).without(said)

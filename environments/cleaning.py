"""Text from outside (data, models, servers, plug-ins, paths) made fit to be read, and unable to steer what shows it.

A terminal obeys control characters, and both terminals and browsers obey signs that reorder or hide text. Whatever is
printed passes `printable`; JSON passes `printable_json`, which keeps every value; log records pass `logger`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_CONTROLS_ON_LINES = r"\x00-\x09\x0b-\x1f\x7f-\x9f"
"""Without line feeds."""
_REORDERING = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = (
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    r"\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
_NO_CHARACTERS = r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_HIDING = _REORDERING + _UNSEEN + _NO_CHARACTERS
_JOINERS = r"\u200c\u200d"
# They belong to Persian, to Indic scripts and to emoji; beside Latin letters they only make two names look alike.
_JOINED = rf"[^\x00-\u02ff{_JOINERS}{_CONTROLS}{_HIDING}]"
_LONELY = rf"(?<![{_JOINERS}])|(?<!{_JOINED}[{_JOINERS}])|(?!{_JOINED})"

# One set of characters comes first, so that Python skips all others without trying anything else on them.
_ON_ONE_LINE = re.compile(rf"[{_CONTROLS}{_HIDING}{_JOINERS}](?:{_LONELY})")
_ON_LINES = re.compile(rf"[{_CONTROLS_ON_LINES}{_HIDING}{_JOINERS}](?:{_LONELY})")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, limit: int | None = None, newlines: bool = False) -> str:
    r"""The text with every character that steers a terminal or hides or reorders text written out, as in `\x1b`.

    Written out are control characters, directional marks, overrides and isolates, unseen characters, characters that
    no document may hold, and lone surrogates. Everything else stays; what is written out is for the eye, and cannot
    be told from a backslash that was there.

    Args:
        text: Any text.
        limit: So many characters of the result are kept; what is missing is said.
        newlines: Whether line feeds stay; they let outside text look like a line of ours, so only where it stands in a
            frame or after a mark of its own.
    """
    pattern = _ON_LINES if newlines else _ON_ONE_LINE
    clean = pattern.sub(_written_out, text)
    return clean if limit is None or len(clean) <= limit else f"{clean[:limit]}... ({len(text):,} characters)"


def storable(text: str) -> str:
    """The text with what JSON can carry and a log cannot written as escapes.

    These are halves of surrogate pairs, which no file takes, and zero characters, which PostgreSQL does not.
    """
    whole = text.replace("\0", "\\x00")
    return whole if whole.isascii() else whole.encode("utf-8", "backslashreplace").decode()


def is_printable(text: str) -> bool:
    """Whether `printable` would leave the text as it is, line feeds too."""
    return _ON_LINES.search(text) is None


def printable_json(value: Any, *, ascii_only: bool = False) -> str:
    """A value as indented JSON that reads back as the same value and cannot steer a terminal.

    Args:
        value: Plain values; others become their `str`.
        ascii_only: Whether all other letters are escaped as well, for a stream that cannot carry them.
    """
    written = json.dumps(value, indent=2, ensure_ascii=ascii_only, default=str)
    return _ON_LINES.sub(lambda found: json.dumps(found[0])[1:-1], written.replace("\x7f", "\\u007f"))


def _written_out(found: re.Match[str]) -> str:
    sign = found[0]
    code = ord(sign)
    if sign in _SHORT:
        return _SHORT[sign]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _CleanLogger(logging.LoggerAdapter[logging.Logger]):
    """Passes what is put into a message through `printable`."""

    def log(self, level: int, msg: object, *args: object, **keywords: Any) -> None:
        if self.isEnabledFor(level):
            super().log(level, msg, *map(_harmless, args), **keywords)


def logger(name: str) -> logging.LoggerAdapter[logging.Logger]:
    """A module's logger, whose records no outside text can break or steer.

    Args:
        name: The module's `__name__`.
    """
    return _CleanLogger(logging.getLogger(name), None)


class CleanFormatter(logging.Formatter):
    """Formats records of any package so that they steer no terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return printable(super().format(record), newlines=True)


def _harmless(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):  # `logging` takes a lone mapping for the names in the message
        return {key: _harmless(each) for key, each in value.items()}
    return printable(str(value))

"""Keys and passwords in what somebody wrote: whether one stands there, and the same words without it.

Messages are kept in logs of machines that others read, and what stands in the wrong place of a file may be a secret.
"""

from __future__ import annotations

import re

MIXED = r"(?:\S*\d[A-Za-z]|(?:\S*\d){6})"
"""Digits as keys have them, in between or many, and not as names have them: a year or a version behind their words."""
PREFIXED = r"(?:sk|pk|rk|gsk|xai|hf|ghp)[-_](?=\S*(?<![^\W_])(?=[^\W_]*\d)[^\W_]{8,})\S{12,}"
"""What begins as keys of some providers do and has one long word with digits, as `pk_order_line_2` has not."""
SENT = r"Bearer (?![a-z]+(?!\S))\S{8,}|Basic (?![A-Z]?[a-z]+\b)[A-Za-z0-9+/]{8,}={0,2}(?![\w-])"
"""The value of a header with a key, where `Basic groceries` is none."""
KEY_ITSELF = re.compile(rf"(?=\S*\d)(?=\S*[a-z])(?:(?:[a-z]{{2,4}}_)?(?={MIXED})[A-Za-z0-9]{{24,}}|AIza[\w-]{{30,}})\Z")
"""What could be the name of a variable by its signs alone, and is as long and mixed as a key."""
_SECRET_IN_WORDS = re.compile(
    rf"(?<!\w){PREFIXED}|{SENT}|eyJ[\w-]{{8,}}\.|\w://[^\s/?#]*:[^\s/?#]*@|\b(?i:password)\s*=\s*"
)
"""A key, or an address with a password, in whatever else was written."""
_SECRET_WITH_ITS_END = re.compile(rf"(?:{_SECRET_IN_WORDS.pattern})\S*")
_LONG_WORD = re.compile(r"[\w-]{24,}")
_LOOKS_SO = "looks like a key or a password, not shown"
_HIDDEN = f"(this {_LOOKS_SO})"


def without_secrets(shown: str, found: object) -> str:
    """How a message names a value that does not fit: as `shown`, unless the value holds a key or a password."""
    return f"a value that {_LOOKS_SO}" if holds_key(str(found)) else shown


def holds_key(text: str) -> bool:
    """Whether a text has a key or a password in it, or could be one."""
    return holds_secret(text) or bool(KEY_ITSELF.match(text))


def holds_secret(text: str) -> bool:
    """Whether a key or a password stands in a text that shows by its beginning, or its place, to be one."""
    return bool(_SECRET_IN_WORDS.search(text))


def without_keys(text: str) -> str:
    """Words of a message without keys and passwords that stand among them."""
    return _SECRET_WITH_ITS_END.sub(_HIDDEN, text)


def without_keys_as_names(text: str) -> str:
    """As `without_keys`, of names that somebody has written, in which any long and mixed word is taken for a key."""
    return _LONG_WORD.sub(lambda word: _HIDDEN if KEY_ITSELF.match(word[0]) else word[0], without_keys(text))

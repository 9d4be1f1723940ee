"""A key that a server repeats: found in whatever form, and kept out of logs, messages and files.

A reply is data and is never rewritten: one in which the key stands is withheld whole, and becomes an unreadable event.
What only tells about a reply (the model's name, a fingerprint, the words of an error) loses the key alone.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

SHORTEST_KEY = 8
"""Characters of the shortest key that is looked for. No provider gives out shorter ones, and no rule for passwords
allows them; words as short as `EMPTY`, `none` or `ollama`, which servers without keys are given, stand in replies by
chance, and whatever is done about them would spoil the data."""

HIDDEN = "(key)"
WITHHELD = "(withheld: it repeats the key)"

_HALVES_FROM = 24
_ESCAPED = re.compile(r"\\(?:u00([0-9a-fA-F]{2})|x([0-9a-fA-F]{2})|([nrtbf])|([^\w]))")
_MAY_BE_ESCAPED = re.compile(r"[\\%&]")
_SEPARATORS = re.compile(r"[\W_]+")
_NO_SEPARATORS = {code: None for code in range(128) if not chr(code).isalnum()}


def remark_on_key(variable: str | None, key: str | None, where: str = "mind.model") -> str:
    """What to say of a key that is too short to be looked for, "" where there is nothing to say.

    Args:
        variable: The environment variable that holds it.
        key: The key.
        where: Where the model's configuration stands in its file.
    """
    if not key or len(key) >= SHORTEST_KEY:
        return ""
    return (
        f"{where}.api_key_env: {variable} holds fewer than {SHORTEST_KEY} characters, too few to be told from ordinary "
        "words: should a server repeat this key, it stays in the log. A server without keys needs no api_key_env"
    )


class KeyEchoes:
    """Looks for keys.

    Args:
        keys: What to look for; None, or a key shorter than `SHORTEST_KEY`, is never found.
    """

    def __init__(self, *keys: str | None) -> None:
        self.keys = tuple(key for key in keys if key and len(key) >= SHORTEST_KEY)
        self._needles = tuple(dict.fromkeys(needle for key in self.keys for needle in _needles(key)))
        squeezed = map(_squeezed, self.keys)
        self._squeezed = tuple(key for key in squeezed if len(key) >= SHORTEST_KEY)

    def stand_in(self, text: str) -> bool:
        """Whether a key can be read out of a text: as it is, cut in two, in base64 or hex, escaped, or spaced out."""
        if not self.keys:
            return False
        if self._plainly_in(text):
            return True
        return _MAY_BE_ESCAPED.search(text) is not None and any(map(self._plainly_in, _forms(text)))

    def without(self, text: str) -> str:
        """The text without the keys; no word of it where a key stands there in another form than its own."""
        if not self.keys:
            return text
        for key in self.keys:
            text = text.replace(key, HIDDEN)
        return WITHHELD if self.stand_in(text) else text

    def _plainly_in(self, text: str) -> bool:
        for needle in self._needles:  # a loop, because every reply passes here
            if needle in text:
                return True
        squeezed = _squeezed(text) if self._squeezed else ""
        return any(key in squeezed for key in self._squeezed)


def _squeezed(text: str) -> str:
    """The text without what could separate pieces of a key."""
    return text.translate(_NO_SEPARATORS) if text.isascii() else _SEPARATORS.sub("", text)


def _needles(key: str) -> Iterator[str]:
    """The key, or both halves of a long one, and what is as good as the key."""
    yield from (key[: len(key) // 2], key[len(key) // 2 :]) if len(key) >= _HALVES_FROM else (key,)
    yield from (key.encode().hex(), key.encode().hex().upper())
    # Base64 of a longer text that holds the key depends on how many characters stand before it, modulo 3; the first
    # and last signs of what is encoded here share bits with the neighbours.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + key.encode()).decode().rstrip("=")
        inner = encoded[-(-before * 8 // 6) : len(encoded) - ((before + len(key)) % 3 > 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _unescaped(found: re.Match[str]) -> str:
    """What an escape of JSON or of a programming language stands for; a space for white space."""
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else " " if found[3] else found[4]


def _forms(text: str) -> Iterator[str]:
    """The text as those who undo escapes would read it."""
    if "\\" in text:
        once = _ESCAPED.sub(_unescaped, text)
        yield once
        if "\\" in once:  # JSON within JSON
            yield _ESCAPED.sub(_unescaped, once)
    if "%" in text:
        yield unquote(text)
    if "&" in text:
        yield html.unescape(text)

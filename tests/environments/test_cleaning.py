"""Outside text that is shown cannot steer a terminal, and JSON that is printed keeps every value."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.cleaning import is_printable, logger, printable, printable_json
from groundlings.environments.errors import ConfigError, RunDirectoryError, RunWarning, TooMuchUnreadable

STEERING = st.sampled_from(
    [
        *map(chr, range(32)),
        *map(chr, range(0x7F, 0xA0)),
        *"\u200b\u200c\u200d\u200e\u202e\u2066\u2028\ufeff\ud800\uffff",
    ]
)
ANY_TEXT = st.lists(st.one_of(STEERING, st.characters(), st.sampled_from("ab[]\\é中👩")), max_size=30).map("".join)


@pytest.mark.parametrize("raised", [ConfigError, RunDirectoryError, RunWarning, TooMuchUnreadable])
def test_what_is_raised_in_python_cannot_steer_a_terminal_either(raised):
    fault = raised("found \x1b[2Jpop\u202e\nexpected another")
    assert str(fault) == "found \\x1b[2Jpop\\u202e\nexpected another"
    assert str(pickle.loads(pickle.dumps(fault))) == str(fault)
    assert f"{raised.__name__}: found \\x1b[2J" in "".join(traceback.format_exception_only(fault))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("pop\x1b[31m", r"pop\x1b[31m"),
        ("\x1b]8;;http://x\x07link", r"\x1b]8;;http://x\x07link"),
        ("\x9b2J", r"\x9b2J"),
        ("one\r\ntwo\t", r"one\r\ntwo\t"),
        ("\u202ecod.exe", r"\u202ecod.exe"),
        ("pop\u200bular pop\u200dular", r"pop\u200bular pop\u200dular"),
        ("half \ud83d", r"half \ud83d"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, seen: str) -> None:
    assert printable(text) == seen


@pytest.mark.parametrize(
    "text",
    [
        "Amélie (2001)",
        "七人の侍",
        "\u0645\u06cc\u200c\u062e",  # Persian, with a joiner
        "\u0915\u094d\u200d\u0937",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",  # a family and a heart
        "דוד",
        "[red] \\x",
        "a\u00a0b",
    ],
)
def test_ordinary_text_of_all_scripts_stays(text: str) -> None:
    assert printable(text) == text


def test_line_feeds_stay_where_they_are_asked_for_and_a_limit_says_what_is_missing() -> None:
    assert printable("a\nb\rc", newlines=True) == "a\nb\\rc"
    assert printable("abcdef", limit=4) == "abcd... (6 characters)"
    assert printable("abcd", limit=4) == "abcd"


@given(ANY_TEXT, st.booleans())
def test_nothing_steers_what_is_printed_and_printing_twice_changes_nothing(text: str, newlines: bool) -> None:
    clean = printable(text, newlines=newlines)
    allowed = {"\n"} if newlines else set()
    assert {sign for sign in clean if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")} <= allowed
    assert not set(clean) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\u200b\ufeff")
    clean.encode()
    assert printable(clean, newlines=newlines) == clean
    assert is_printable(clean)


@given(st.dictionaries(ANY_TEXT, st.one_of(ANY_TEXT, st.integers(), st.none())), st.booleans())
def test_printed_json_reads_back_as_it_was_and_steers_nothing(value: dict[str, object], ascii_only: bool) -> None:
    written = printable_json(value, ascii_only=ascii_only)
    assert json.loads(written) == json.loads(json.dumps(value))
    assert is_printable(written)
    assert not ascii_only or written.isascii()


def test_log_records_hold_nothing_that_steers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logger("groundlings.some").warning("%s: %d calls (%s)", "pop\x1b[31m\n", 3, ValueError("\u202e"))
        logger("groundlings.some").debug("%(name)s", {"name": "\x9b"})
    assert caplog.messages == [r"pop\x1b[31m\n: 3 calls (\u202e)", r"\x9b"]

"""Every error Groundlings raises on purpose, named by who must act.

    GroundlingsError
    |-- UserError               exit status 2: something you wrote, own or started needs a change
    |   |-- ConfigError         edit the YAML
    |   |-- DataError           fix or fetch the data
    |   |-- ProviderError       start the model server, or mend its address, name or key
    |   |   `-- UnanswerablePrompt   the server refuses this one prompt; others go on   (becomes an event)
    |   |-- RunDirectoryError   choose another directory, or free some space
    |   `-- WorkerLost          give worker processes more memory, or take fewer of them
    |-- BudgetExhausted         a declared cap was reached; the run stopped cleanly
    |-- TooMuchUnreadable       exit status 1: too many replies are lost for a result; the run stopped cleanly
    |-- NotFitted               a programmer asked a recommender to rank before `fit`
    `-- UnreadableReply         the model's reply could not be read   (becomes an event)

Messages say what was found, what was expected, where, and what to do about it.
"""

from __future__ import annotations

import codecs
import re
from functools import partial
from typing import Any

from groundlings.environments.cleaning import printable
from groundlings.environments.patterns import IN_WORDS

_LONGEST_SHOWN = 120


def shown(value: object) -> str:
    """A value as a message can bear it, however long it is."""
    try:
        told = repr(value)
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return "a number of thousands of digits"
    except RecursionError:
        return "a value that is nested too deeply to be shown"
    return told if len(told) <= _LONGEST_SHOWN else f"{told[:_LONGEST_SHOWN]}... ({len(told):,} characters)"


def in_words(fault: Exception) -> str:
    """What is wrong with a file of values that a fault was raised about, for the person who named it."""
    match fault:
        case KeyError(args=(name, *_)):
            return f"found no {shown(name)}"
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeDecodeError():
            if fault.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as PowerShell's > writes it
                return "it is text in UTF-16"
            return f"byte 0x{fault.object[fault.start]:02x} is not UTF-8"
        case TypeError() | AttributeError():
            return f"something in it is of another kind: {fault}"
    return str(fault)


class _Readable:
    """Something that is told to people, and that may hold text of a user, of a file or of a server."""

    def __str__(self) -> str:
        """What it says, unable to steer a terminal or to hide text in a notebook."""
        return printable(super().__str__(), newlines=True)


class GroundlingsError(_Readable, Exception):
    """The root of the tree above."""


class UserError(GroundlingsError):
    """The person who started the command can mend this; the command line prints it without a traceback."""


class ConfigError(UserError):
    """The experiment file asks for something that does not exist or does not fit together."""


class DataError(UserError):
    """A data file is missing, damaged, or says something impossible."""


class ProviderError(UserError):
    """A language-model endpoint cannot be reached, refuses the key, or does not know the model."""


class UnanswerablePrompt(ProviderError):
    """A server refuses one prompt for good, and answers others: a content filter, or a generation that always fails.

    Attributes:
        what: The server's own words, cleaned for a terminal and without secrets.
        attempts: Requests it took to be sure.
        from_store: Whether that is known from a record, and nobody was asked.
    """

    def __init__(self, message: str, *, what: str, attempts: int, from_store: bool = False) -> None:
        super().__init__(message)
        self.what = what
        self.attempts = attempts
        self.from_store = from_store

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(UnanswerablePrompt, what=self.what, attempts=self.attempts, from_store=self.from_store)
        return made, self.args, self.__dict__


class RunDirectoryError(UserError):
    """A run directory cannot be written, already holds a run, or does not hold one."""


class UnknownTables(RunDirectoryError):
    """The tables of a log are not those that a version of ours makes."""


class WorkerLost(UserError):
    """A worker process was killed again and again; everything decided so far is in the log."""


class RunWarning(_Readable, UserWarning):
    """Something about a run that whoever reads it should know: it was changed, or it is somebody else's."""


class BudgetExhausted(GroundlingsError):
    """A cap on calls, tokens or money was reached; everything decided so far is in the log."""


class TooMuchUnreadable(GroundlingsError):
    """A larger share of pages is lost than `mind.max_unreadable` allows; everything decided so far is in the log."""


class TooMuchUnlearnt(TooMuchUnreadable):
    """A larger share of an arm's lessons is lost than its `max_unreadable` allows."""


class TooMuchUnsaid(TooMuchUnreadable):
    """Of what an arm's agents were asked after sessions a larger share is lost than `mind.max_unreadable` allows."""


class NotFitted(GroundlingsError):
    """A recommender was asked for a ranking before it was fitted."""


class UnreadableReply(GroundlingsError):
    """A model's reply does not follow the schema it was given."""


def expectation(complaint: str) -> str:
    """What pydantic complains of, as people say it: "expected a whole number", "expected 1 or more".

    Args:
        complaint: Its message; one that does not say what a value should be is kept, but begins in lower case.
    """
    told = complaint.removeprefix("Value error, ")
    should_be = _STRING.sub("", told)
    if should_be == told:
        return f"{told[:1].lower()}{told[1:]}"
    for pattern, words in _EXPECTED:
        should_be = re.sub(f"^{pattern}$", words, should_be)
    return f"expected {should_be}"


_STRING = re.compile(r"Input should be |String should (?:have |(?=match ))")

_EXPECTED = (
    ("a valid integer.*", "a whole number"),
    ("a valid number.*", "a number"),
    ("a valid boolean.*", "true or false"),
    ("a valid string.*", "text"),
    ("greater than or equal to (.*)", r"\1 or more"),
    ("less than or equal to (.*)", r"\1 or less"),
    ("greater than (.*)", r"more than \1"),
    ("at (most|least) 1 characters?", r"at \1 1 character"),
    *((re.escape(f"match pattern '{pattern}'"), words) for pattern, words in IN_WORDS.items()),
)
"""How pydantic says what a value should be -> how people say it."""

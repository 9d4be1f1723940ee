"""The one place that prints: whatever reaches a terminal from here is clean, and fits the terminal's encoding.

A test (`tests/architecture/test_printing.py`) finds every other `print`, `Console`, `Text` and `escape`. Text from
outside has two guards: `escape` and `plain` clean it where a line is composed, so that widths are right, and `Terminal`
cleans all that it draws, so that nothing forgotten gets through.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.errors import MarkupError
from rich.markup import escape as without_markup
from rich.segment import Segment
from rich.text import Text

from groundlings.environments.cleaning import is_printable, printable, printable_json

UNENCODABLE = "groundlings.unencodable"
"""Name of the way in which characters are written that a stream cannot encode (see `codecs.register_error`)."""

_STAND_INS = {
    "\N{CHECK MARK}": "+", "\N{MULTIPLICATION X}": "x", "\N{MULTIPLICATION SIGN}": "x", "\N{FULL BLOCK}": "#",
    "\N{UPWARDS ARROW}": "^", "\N{DOWNWARDS ARROW}": "v", "\N{PLUS-MINUS SIGN}": "+-", "\N{MIDDLE DOT}": "-",
    "\N{HORIZONTAL ELLIPSIS}": "~", "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHTWARDS ARROW}": ">", "\N{BULLET}": "*", "\N{NO-BREAK SPACE}": " ",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-", "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
}  # fmt: skip


_NARROWEST = 20

_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%)")
_HELD = "\ufdd0"
"""Stands for the space between a number and its % while lines are broken, for rich breaks them at every kind of space.
No cleaned text holds this character, which no document may."""

_MOST_COLOURED = 2_000
"""Characters of a text in which numbers and paths are looked for to colour them. The time for that grows with their
square: a name of a hundred thousand takes minutes."""


class Terminal(Console):
    """A `Console` that obeys nothing but its own code: text is cleaned before it is laid out, and again as drawn.

    Args:
        stderr: Whether it writes to standard error.
        quiet: Whether it writes nothing.
        soft_wrap: Whether long lines are left to the terminal.
        file: Where it writes instead of a standard stream.
        width: In columns; the terminal's if absent.
    """

    def __init__(
        self,
        *,
        stderr: bool = False,
        quiet: bool = False,
        soft_wrap: bool = False,
        file: IO[str] | None = None,
        width: int | None = None,
    ) -> None:
        # Without `emoji=False` a title that holds ":heart:" would be shown as another title.
        super().__init__(stderr=stderr, quiet=quiet, soft_wrap=soft_wrap, file=file, width=width, emoji=False)
        if width is None and self.width < _NARROWEST:
            self.width = _NARROWEST  # in a column or none, a table has no room and nothing would be said

    def render_str(self, text: str, **options: Any) -> Text:
        """See `Console.render_str`; what is no markup of ours is text. No line ends between a number and its %."""
        clean = _BEFORE_UNIT.sub(_HELD, self._fit(printable(text, newlines=True)))
        if len(clean) > _MOST_COLOURED:
            options["highlight"] = False
        try:
            return super().render_str(clean, **options)
        except MarkupError:
            return super().render_str(clean, **{**options, "markup": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `Console.render`."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                shown = segment.text.replace(_HELD, " ")
                yield Segment(self._fit(printable(shown, newlines=True)), segment.style)

    def _fit(self, text: str) -> str:
        return text if self.encoding.startswith("utf") else fitted(text, self.encoding)


def fitted(text: str, encoding: str) -> str:
    """The text with what an encoding lacks replaced: dashes, quotes and marks by ASCII, others by their number."""
    return text.encode(encoding, UNENCODABLE).decode(encoding)


def escape(text: str, *, newlines: bool = False) -> str:
    r"""Outside text as a part of markup: cleaned, and without any markup of its own.

    Args:
        text: From data, models, files, paths or the person who typed it.
        newlines: Whether line feeds stay.
    """
    clean = printable(text, newlines=newlines)
    # A backslash at the end would take the markup that follows for text.
    return without_markup(f"{clean[:-1]}\\x5c" if clean.endswith("\\") else clean)


def plain(text: str, style: str = "", *, newlines: bool = False) -> Text:
    """Outside text as it is to be shown, without markup."""
    return Text(printable(text, newlines=newlines), style=style)


def say(text: str, *, stderr: bool = False, newlines: bool = True) -> None:
    """Print text as it is, without colours and line breaks of ours, for people and programs alike."""
    stream = sys.stderr if stderr else sys.stdout
    clean = printable(text, newlines=newlines)
    encoding = _encoding(stream)
    print(clean if encoding.startswith("utf") else fitted(clean, encoding), file=stream, flush=True)


def say_json(value: Any) -> None:
    """Print a value as JSON that reads back as the same value, whatever the stream can encode."""
    print(printable_json(value, ascii_only=not _encoding(sys.stdout).startswith("utf")), flush=True)


def say_yaml(value: Any, *, comments: Iterable[str] = ()) -> None:
    """Print a value as YAML that reads back as the same value, whatever the stream can encode.

    Args:
        value: Plain values.
        comments: Lines that stand above it.
    """
    written = as_yaml(value, ascii_only=not _encoding(sys.stdout).startswith("utf"))
    say("\n".join((*(f"# {' '.join(each.split())}" for each in comments), written.rstrip("\n"))))


def as_yaml(value: Any, *, ascii_only: bool = False) -> str:
    """A value as YAML that reads back as the same value and cannot steer a terminal.

    Args:
        value: Plain values.
        ascii_only: Whether all other letters are escaped as well.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes what may not be shown as it is between quotation marks, where YAML reads it as escapes."""

    def represented(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_printable(text) else '"')

    Dumper.add_representer(str, represented)
    written = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=not ascii_only, width=120)
    return printable(written, newlines=True)  # what is written out stands between quotation marks


def _encoding(stream: IO[str] | None) -> str:
    return (getattr(stream, "encoding", None) or "utf-8").lower()


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(map(_written, found)), error.end


def _written(sign: str) -> str:
    """ASCII for a character, which every encoding of a terminal holds."""
    return _STAND_INS.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(UNENCODABLE, _stand_in)

__all__ = ["UNENCODABLE", "Terminal", "as_yaml", "escape", "fitted", "plain", "say", "say_json", "say_yaml"]

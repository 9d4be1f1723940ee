"""A process that draws pictures beside the one that simulates and measures.

Importing Matplotlib and drawing take a third of a small run. A command that ends with a report opens a studio at its
beginning: a forked process that imports Matplotlib while the command simulates, and draws what it is sent, on as many
cores as there are. Pictures are the same wherever they are drawn, and nothing depends on a studio: what it does not
hand back is drawn by whoever asked, who so meets each fault itself.

Fork is safe here because a studio is opened before the command has threads, and has none when it forks helpers of its
own but one that waits for the command's end; it neither prints nor touches a database.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from groundlings.environments.cleaning import logger
from groundlings.environments.cores import usable_cores
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.pictures import Drawn, Panel, Picture, draw_keys
from groundlings.experiments.analysis.report.svg import settings
from groundlings.simulator.engines.forked import become_worker, ending, fork, why_no_fork

_MOST_HELPERS = 4
"""A report has some seven pictures, and drawing the largest of them takes a quarter of the time."""

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Drawings:
    """What was drawn for a page.

    Attributes:
        pictures: By name.
        keys: As `draw_keys` makes them.
    """

    pictures: Mapping[str, Drawn]
    keys: Mapping[str, Mapping[str, str]]


class Order:
    """The pictures of a page: a studio draws each as soon as it is added; without one they are drawn at the end.

    Args:
        style: Arm name -> how it is drawn.
        note: Below each sheet.
    """

    def __init__(self, style: Mapping[str, Style], note: str) -> None:
        self._style, self._note = style, note
        self._pictures: list[Picture] = []
        self._studio = _OPEN.get()

    def add(self, pictures: Sequence[Picture]) -> None:
        """Order further pictures."""
        self._pictures += pictures
        if self._studio is not None:
            for picture in pictures:
                self._studio.send((picture, self._note))

    def drawn(self, told: Callable[[int, int], None] = lambda *_: None) -> Drawings:
        """All that was ordered.

        Args:
            told: Is called with how many pictures are drawn, and how many there are; where a studio draws, at its end.
        """
        drawings = None if self._studio is None else self._studio.finished(self._style)
        if drawings is None:
            with settings():
                pictures = {}
                for number, picture in enumerate(self._pictures):
                    told(number, len(self._pictures))
                    pictures[picture.name] = picture.written(self._note)
                drawings = Drawings(pictures, draw_keys(self._pictures, self._style))
        told(1, 1)
        return drawings


@contextmanager
def drawing_beside() -> Iterator[None]:
    """While this is open, pages are drawn in a studio where there is a second core for one."""
    try:
        studio = Studio() if usable_cores() > 1 and why_no_fork() is None else None
    except OSError:  # the system lets no process begin
        studio = None
    token = _OPEN.set(studio)
    try:
        yield
    finally:
        _OPEN.reset(token)
        if studio is not None:
            studio.close()


class Studio:
    """The process that draws, as seen by the one that asks it; raises `OSError` where none can be started.

    Attributes:
        process: It.
    """

    def __init__(self) -> None:
        self._life = os.pipe()
        self.process, self._connection = fork(_draw_what_is_sent, self._life, may_fork=True)
        self._works = True

    def send(self, message: _Message) -> None:
        """Have a picture drawn; nothing where the studio has ended."""
        if not self._works:
            return
        try:
            self._connection.send(message)
        except OSError:
            self._lost()
        except (pickle.PicklingError, AttributeError, TypeError) as fault:  # what `pickle` raises
            self._works = False
            _logger.info("pictures are drawn in this process: they cannot be sent to another (%s)", fault)

    def finished(self, style: Mapping[str, Style]) -> Drawings | None:
        """What was sent since the last time, drawn; None where the studio could not, or has ended."""
        self.send(style)
        if not self._works:
            return None
        try:
            drawings: Drawings = self._connection.recv()
        except (EOFError, OSError):
            self._lost()
            return None
        return drawings

    def close(self) -> None:
        """End the process; it holds nothing that is needed."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self._connection.close()
        for end in self._life:
            os.close(end)

    def _lost(self) -> None:
        self._works = False
        self.process.join()
        _logger.warning("pictures are drawn in this process: the one for them %s", ending(self.process.exitcode))


_OPEN: ContextVar[Studio | None] = ContextVar("_OPEN", default=None)

_Message = tuple[Picture, str] | Mapping[str, Style]
"""A picture and the note below it; or, after the last picture, the style of the page."""


def _draw_what_is_sent(connection: Connection, not_ours: Sequence[Connection], life: tuple[int, int]) -> None:
    """The life of a studio, until nobody asks any more or something fails: whoever asks then draws, and meets it."""
    become_worker(not_ours, life)
    with suppress(Exception), settings():
        nothing = Panel("", lambda _: None)
        Picture("", "Empty", (nothing,), 1, (1.0, 1.0)).written("A first picture imports all that pictures need.")
        while True:
            connection.send(_drawn_by_helpers(connection))


def _drawn_by_helpers(connection: Connection) -> Drawings:
    """All pictures up to the next style that comes, each drawn by a process of its own.

    Raises:
        EOFError: A helper failed, or nobody asks any more.
    """
    ordered: list[Picture] = []
    waiting: deque[tuple[Picture, str]] = deque()
    helpers: dict[Connection, tuple[ForkProcess, Picture]] = {}
    drawn: dict[str, Drawn] = {}
    keys: Mapping[str, Mapping[str, str]] | None = None
    while keys is None or waiting or helpers:
        while waiting and len(helpers) < min(usable_cores(), _MOST_HELPERS):
            picture, note = waiting.popleft()
            process, its = fork(_draw_one, picture, note, beside=[connection, *helpers])
            helpers[its] = process, picture
        ready = wait([*helpers, *([connection] if keys is None else [])])
        for its in [each for each in helpers if each in ready]:
            process, picture = helpers.pop(its)
            drawn[picture.name] = its.recv()
            process.join()
            its.close()
        if connection in ready:
            message: _Message = connection.recv()
            if isinstance(message, tuple):
                waiting.append(message)
                ordered.append(message[0])
            else:
                keys = draw_keys(ordered, message)
    return Drawings(drawn, keys)


def _draw_one(connection: Connection, not_ours: Sequence[Connection], picture: Picture, note: str) -> None:
    for each in not_ours:
        each.close()
    with suppress(Exception):
        connection.send(picture.written(note))

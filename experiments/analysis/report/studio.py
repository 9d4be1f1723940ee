"""A process that draws pictures beside the one that simulates and measures.

Importing Matplotlib and drawing take a third of a small run. A command that ends with a report opens a studio at its
beginning: a forked process that imports Matplotlib while the command simulates, and draws what it is sent, on as many
cores as there are. Pictures are the same wherever they are drawn, and nothing depends on a studio: what it does not
hand back is drawn by whoever asked, who so meets each fault itself.

Fork is safe here because a studio is opened before the command has threads, and has none when it forks helpers of its
own; it neither prints nor touches a database.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from groundlings.environments.cleaning import logger
from groundlings.environments.cores import usable_cores
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.pictures import Drawn, Panel, Picture, draw_keys
from groundlings.experiments.analysis.report.svg import settings
from groundlings.simulator.engines.forked import become_worker, ending, fork, why_no_fork

_MOST_PROCESSES = 4
"""A report has some seven pictures, and drawing the largest of them takes a quarter of the time."""

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be drawn for a page.

    Attributes:
        pictures: In the order of the page.
        style: Arm name -> how it is drawn.
        note: Below each sheet.
    """

    pictures: Sequence[Picture]
    style: Mapping[str, Style]
    note: str


@dataclass(frozen=True, slots=True)
class Drawings:
    """What was drawn for a page.

    Attributes:
        pictures: In the order of the page.
        keys: As `draw_keys` makes them.
    """

    pictures: Sequence[Drawn]
    keys: Mapping[str, Mapping[str, str]]


def draw_all(order: Order, told: Callable[[int], None] = lambda _: None) -> Drawings:
    """Draw what a page needs: in the studio where one is open, here otherwise.

    Args:
        order: What.
        told: Is called with how many pictures are drawn; where a studio draws, at its end.
    """
    studio = _OPEN.get()
    drawings = None if studio is None else studio.drawn(order)
    if drawings is None:
        with settings():
            pictures = []
            for number, picture in enumerate(order.pictures):
                told(number)
                pictures.append(picture.written(order.note))
            drawings = Drawings(pictures, draw_keys(order.pictures, order.style))
    told(len(order.pictures))
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

    def drawn(self, order: Order) -> Drawings | None:
        """What was ordered; None where the studio could not draw it, or has ended."""
        try:
            self._connection.send(order)
            drawings: Drawings = self._connection.recv()
        except (EOFError, OSError):
            self.process.join()
            _logger.warning("pictures are drawn in this process: the one for them %s", ending(self.process.exitcode))
            return None
        except (pickle.PicklingError, AttributeError, TypeError) as fault:  # what `pickle` raises
            _logger.info("pictures are drawn in this process: they cannot be sent to another (%s)", fault)
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


_OPEN: ContextVar[Studio | None] = ContextVar("_OPEN", default=None)


def _draw_what_is_sent(connection: Connection, not_ours: Sequence[Connection], life: tuple[int, int]) -> None:
    """The life of a studio, until nobody asks any more or something fails: whoever asks then draws, and meets it."""
    become_worker(not_ours, life)
    with suppress(Exception), settings():
        _nothing().written("A first picture imports all that pictures need.")
        while True:
            order: Order = connection.recv()
            connection.send(_side_by_side(order))


def _nothing() -> Picture:
    return Picture("", "Empty", (Panel("", lambda _: None),), columns=1, size=(1.0, 1.0))


def _side_by_side(order: Order) -> Drawings:
    """Everything that is ordered, by this process and by helpers that it forks.

    Each takes from a pipe the number of the picture that it draws next. Helpers have the pictures without being sent
    them.

    Raises:
        EOFError: A helper failed.
    """
    largest_first = sorted(range(len(order.pictures)), key=lambda number: -len(order.pictures[number].panels))
    tickets, box = os.pipe()
    os.write(box, bytes(largest_first))
    os.close(box)
    life = os.pipe()
    helpers: list[tuple[ForkProcess, Connection]] = []
    for _ in range(min(usable_cores(), _MOST_PROCESSES) - 1):
        beside = [connection for _, connection in helpers]
        helpers.append(fork(_help, life, tickets, order, beside=beside))
    keys = draw_keys(order.pictures, order.style)
    drawn = _taken(tickets, order)
    for process, connection in helpers:
        drawn |= connection.recv()
        process.join()
        connection.close()
    for end in (tickets, *life):
        os.close(end)
    return Drawings([drawn[number] for number in range(len(order.pictures))], keys)


def _help(
    connection: Connection, not_ours: Sequence[Connection], life: tuple[int, int], tickets: int, order: Order
) -> None:
    become_worker(not_ours, life)
    with suppress(Exception):
        connection.send(_taken(tickets, order))


def _taken(tickets: int, order: Order) -> dict[int, Drawn]:
    """Number of each picture that fell to this process -> what it drew."""
    drawn = {}
    while ticket := os.read(tickets, 1):
        (number,) = ticket
        drawn[number] = order.pictures[number].written(order.note)
    return drawn

"""A model that is asked from several processes of one run, and the place of each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Seat:
    """Which client process this is.

    Attributes:
        number: 0 for the first.
        of: How many there are.
        tell: Is told what people should know of the servers.
    """

    number: int
    of: int
    tell: Callable[[str], None]

    def share(self, places: int) -> int:
        """How many of so many places are this client's; all clients together have just these."""
        return places // self.of + (self.number < places % self.of)


@runtime_checkable
class ServesClients(Protocol):
    """A model that forked processes can ask, each by connections of its own."""

    @property
    def most_clients(self) -> int:
        """How many processes it can be asked from, so that each has a place."""
        ...

    def before_clients(self) -> None:
        """Called before processes are forked: what all of them are to share is put where they can."""
        ...

    def begin_in_client(self, seat: Seat) -> None:
        """Called in a forked process: connections and all that belongs to an event loop begin anew."""
        ...

    @property
    def findings(self) -> dict[tuple[str, ...], bool]:
        """What was found out about the servers, by kind of reply: whether they take its form."""
        ...

    def learn(self, findings: dict[tuple[str, ...], bool]) -> None:
        """Note what another client has found out."""
        ...

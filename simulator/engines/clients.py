"""Client processes: sessions of agents that ask a language model, on several cores, with one budget and one store.

An event loop that asks, writes prompts and checks replies fills a core at some thousand decisions per second, and a
server may be faster. Here each of several processes has a loop and connections of its own, and sessions are handed out
to them one by one. They are forked when an occasion of a day begins, as those of `pool`; `client` says what they do.
This process keeps the budget, the store of replies and the log (`groundlings.simulator.language.admission`); limits of
rate and rests that a server asks for are numbers in shared memory.

Replies are drawn by seeds that depend on agent, day and page, so a run comes out as in one process. Memories reach this
process with the sessions that made them, and every client with the next fork: nobody needs those of others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import AsksModel
from groundlings.simulator.engines.clientele import Clientele
from groundlings.simulator.engines.crew import outcomes_of
from groundlings.simulator.engines.engine import IN_PROCESS, cohorts_at_once
from groundlings.simulator.language.admission import layers
from groundlings.simulator.language.client_seat import ServesClients
from groundlings.simulator.shards import Occasion, Outcome


class ClientProcesses:
    """Simulates agents that ask a model in client processes; see the module.

    Args:
        clients: How many, at most.
        tell: Is told of clients that were killed, and what clients have to say of servers.

    Attributes:
        lost: Clients that were killed; the sessions that they had begun were begun again.
    """

    def __init__(self, clients: int, tell: Callable[[str], None] = lambda _: None) -> None:
        self._clients = clients
        self._tell = tell
        self._told: set[str] = set()
        self.lost = 0

    def outcomes(
        self, occasion: Occasion, concurrency: int, cut_short: Callable[[Sessions], None]
    ) -> AsyncGenerator[Outcome, None]:
        """See `Engine.outcomes`; where there is no work for two clients, this process asks.

        Raises:
            WorkerLost: The same session has lost its client `ATTEMPTS` times.
        """
        shards = cohorts_at_once(occasion, concurrency)
        clients = min(self._clients, shards, len(occasion), most_clients(occasion.snapshot.mind))
        if clients < 2:
            return IN_PROCESS.outcomes(occasion, concurrency, cut_short)
        try:
            crew = Clientele(occasion, clients, shards, self._tell_once)
        except OSError as fault:
            self._tell_once(f"asked from one process, because no other could be started ({fault.strerror})")
            return IN_PROCESS.outcomes(occasion, concurrency, cut_short)
        return outcomes_of(crew, occasion, cut_short, self._lose, self._tell)

    def over(self, arm: str) -> None:
        """See `Engine.over`."""

    def close(self) -> None:
        """See `Engine.close`: clients end with their occasion."""

    def _lose(self, loss: str) -> None:
        self.lost += 1
        self._tell(loss)

    def _tell_once(self, line: str) -> None:
        """Several clients find out the same."""
        if line not in self._told:
            self._told.add(line)
            self._tell(line)


def most_clients(mind: object) -> int:
    """How many processes a mind's model can be asked from: 1 where it belongs to this one."""
    if not isinstance(mind, AsksModel):
        return 1
    store, _, servers = layers(mind.model)
    if isinstance(servers, ServesClients):
        return servers.most_clients
    return 1 if servers is not None or store is None else _ANY


_ANY = 1_000
"""A replay asks nobody."""

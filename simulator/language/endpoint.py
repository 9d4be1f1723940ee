"""A model behind one OpenAI-compatible address: a cloud, a vLLM server, or the embedded one on loopback."""

from __future__ import annotations

from typing import Any

from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.pool import EndpointPool


class EndpointModel(EndpointPool):
    """A pool of one endpoint.

    Args:
        max_attempts: Attempts at one request, the first included.
        options: The address and what goes with it, as `Connection` takes them.
    """

    def __init__(self, *, max_attempts: int = 8, **options: Any) -> None:
        self._connection = Connection(**options)
        super().__init__([self._connection], max_attempts=max_attempts)

    @property
    def base_url(self) -> str:
        """The endpoint's address."""
        return self._connection.base_url

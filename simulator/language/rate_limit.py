"""Rate limits: how many requests and tokens per minute an account allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from groundlings.simulator.language.shared_numbers import SharedNumbers

_MINUTE_SECONDS = 60.0
_REQUESTS, _TOKENS = 0, 1
"""Where it stands when the next one may be sent."""


class Pace:
    """Spreads requests evenly over the minute, so that a limit is kept in every window and nobody is turned away.

    It only says how long to wait; the one who asks does the waiting, and holds no place meanwhile.

    Args:
        requests_per_minute, tokens_per_minute: Limits; None = no limit. Tokens in and out count together.
    """

    def __init__(self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None) -> None:
        self._seconds_a_request = _MINUTE_SECONDS / requests_per_minute if requests_per_minute else 0.0
        self._seconds_a_token = _MINUTE_SECONDS / tokens_per_minute if tokens_per_minute else 0.0
        self._free_at: list[float] | SharedNumbers = [0.0, 0.0]
        self._alone: Callable[[], AbstractContextManager[None]] = nullcontext

    def share(self) -> None:
        """Spread the requests of all processes that are forked from here together, this one's included."""
        if self._limited and not isinstance(self._free_at, SharedNumbers):
            self._free_at = SharedNumbers(self._free_at)
            self._alone = self._free_at.alone

    def reserve(self, tokens: int) -> float:
        """Seconds to wait before sending a request of so many tokens at most; its turn is taken at once."""
        if not self._limited:
            return 0.0
        now = time.monotonic()
        with self._alone():
            start = max(now, self._free_at[_REQUESTS], self._free_at[_TOKENS])
            self._free_at[_REQUESTS] = start + self._seconds_a_request
            self._free_at[_TOKENS] = start + self._seconds_a_token * tokens
        return start - now

    def settle(self, reserved: int, used: int) -> None:
        """Give back the tokens that a request reserved and did not use."""
        if self._seconds_a_token:
            with self._alone():
                self._free_at[_TOKENS] -= self._seconds_a_token * max(0, reserved - used)

    @property
    def _limited(self) -> bool:
        return bool(self._seconds_a_request or self._seconds_a_token)

"""Rate limits: how many requests and tokens per minute an account allows."""

from __future__ import annotations

import time

_MINUTE_SECONDS = 60.0


class Pace:
    """Spreads requests evenly over the minute, so that a limit is kept in every window and nobody is turned away.

    It only says how long to wait; the one who asks does the waiting, and holds no place meanwhile.

    Args:
        requests_per_minute, tokens_per_minute: Limits; None = no limit. Tokens in and out count together.
    """

    def __init__(self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None) -> None:
        self._seconds_a_request = _MINUTE_SECONDS / requests_per_minute if requests_per_minute else 0.0
        self._seconds_a_token = _MINUTE_SECONDS / tokens_per_minute if tokens_per_minute else 0.0
        self._requests_free_at = 0.0
        self._tokens_free_at = 0.0

    def reserve(self, tokens: int) -> float:
        """Seconds to wait before sending a request of so many tokens at most; its turn is taken at once."""
        if not (self._seconds_a_request or self._seconds_a_token):
            return 0.0
        now = time.monotonic()
        start = max(now, self._requests_free_at, self._tokens_free_at)
        self._requests_free_at = start + self._seconds_a_request
        self._tokens_free_at = start + self._seconds_a_token * tokens
        return start - now

    def settle(self, reserved: int, used: int) -> None:
        """Give back the tokens that a request reserved and did not use."""
        self._tokens_free_at -= self._seconds_a_token * max(0, reserved - used)

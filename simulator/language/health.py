"""How an endpoint has been doing lately: whether it should be given work, and how long to wait for it."""

from __future__ import annotations

import time
from collections import deque

from groundlings.simulator.language.faults import Fault
from groundlings.simulator.language.provider_words import excerpt
from groundlings.simulator.language.shared_numbers import SharedNumbers

_FAULTS_BEFORE_REST = 3
_LONGEST_REST_SECONDS = 60.0
_FAULTS_OF_AN_OUTAGE = 5
_REMEMBERED = 100
_ENOUGH = 20
_SLOWER_THAN_USUAL = 10.0
_LEAST_PATIENCE_SECONDS = 10.0
_SHOWN_CHARACTERS = 120
_LAST_GOOD, _RESTING_UNTIL = 0, 1


class Health:
    """Counts what one endpoint got right and wrong.

    Args:
        timeout_seconds: The longest that one attempt may take in any case.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.outstanding = 0
        """Requests given to it and not yet over, the waiting ones included."""
        self._moments: list[float] | SharedNumbers = [time.monotonic(), 0.0]
        self.last_fault = ""
        """What went wrong last, in a few words; "" where nothing has since it answered."""
        self.rest_told_until = 0.0
        """Until when nobody needs to hear again that it wants to be left alone."""
        self._timeout_seconds = timeout_seconds
        self._faults = 0
        self._latencies: deque[float] = deque(maxlen=_REMEMBERED)
        self._slowest: float | None = None
        """The largest of `_latencies`; None where it has to be looked for."""

    @property
    def last_good(self) -> float:
        """When it last answered, or was made."""
        return self._moments[_LAST_GOOD]

    @last_good.setter
    def last_good(self, moment: float) -> None:
        self._moments[_LAST_GOOD] = moment

    def share(self) -> None:
        """Have all processes that are forked from here know when it answers, and when it wants to be left alone."""
        if not isinstance(self._moments, SharedNumbers):
            self._moments = SharedNumbers((self._moments[_LAST_GOOD], self._moments[_RESTING_UNTIL]))

    def succeeded(self, latency_seconds: float) -> None:
        """It answered."""
        self._faults = 0
        self.last_fault = ""
        self._moments[_RESTING_UNTIL] = 0.0
        self.last_good = time.monotonic()
        if self._slowest is not None:  # the one that is forgotten may have been the slowest
            forgotten = self._latencies[0] if len(self._latencies) == _REMEMBERED else 0.0
            self._slowest = None if forgotten == self._slowest else max(self._slowest, latency_seconds)
        self._latencies.append(latency_seconds)

    def stood_still(self, seconds: float) -> None:
        """Nobody asked it for so long, whatever the clock says: that time is no silence of its own."""
        self.last_good = min(time.monotonic(), self.last_good + seconds)

    def failed(self, fault: Fault) -> None:
        """It did not. After a few faults in a row, or when it asks for it, it is left alone for a while."""
        self._faults += 1
        self.last_fault = excerpt(fault.what, _SHOWN_CHARACTERS)
        rest = fault.wait_seconds or 0.0
        if self._faults >= _FAULTS_BEFORE_REST:
            rest = max(rest, 2.0 ** (self._faults - _FAULTS_BEFORE_REST))
        self._moments[_RESTING_UNTIL] = time.monotonic() + min(rest, _LONGEST_REST_SECONDS)

    @property
    def has_answered(self) -> bool:
        """Whether it has answered a question."""
        return bool(self._latencies)

    @property
    def resting(self) -> bool:
        """Whether others should be asked if there are any; requests on their way are not touched."""
        return time.monotonic() < self._moments[_RESTING_UNTIL]

    def silent(self, seconds: float) -> bool:
        """Whether it has failed again and again, and not once answered for so long."""
        return self._faults >= _FAULTS_OF_AN_OUTAGE and time.monotonic() - self.last_good >= seconds

    def patience_seconds(self, attempt: int) -> float:
        """The deadline of an attempt (1 = the first): a watchdog for requests that got stuck.

        Ten times the slowest of the last hundred replies, at least ten seconds, twice as much with every further
        attempt, and never more than the configured timeout, which alone counts until twenty replies are known.
        """
        if len(self._latencies) < _ENOUGH:
            return self._timeout_seconds
        if self._slowest is None:
            self._slowest = max(self._latencies)
        usual = max(_LEAST_PATIENCE_SECONDS, _SLOWER_THAN_USUAL * self._slowest)
        return min(self._timeout_seconds, usual * 2.0 ** (attempt - 1))

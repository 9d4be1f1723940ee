"""What the questions of a run take: hours with the servers that are given, servers for the hours that are wished.

How fast a server answers depends on its machine and its model, and nobody knows it before it was asked: it is an
assumption, or what `groundlings model check --rate` measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundlings.simulator.language.config import ModelConfig

if TYPE_CHECKING:
    from groundlings.experiments.running.cost import Estimate
    from groundlings.experiments.running.plan import Plan

ASSUMED_ANSWERS_PER_SECOND = 50.0
"""Of one server, where nobody says it."""

CPU_SECONDS_A_DECISION = 0.8e-3
"""Of this program: prompt, question, check and log (`make bench-saturation`)."""

_SECONDS_AN_HOUR = 3_600
_A_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody who plans a run says of its servers.

    Attributes:
        rate: Answers per second of one server; None = not known.
        hours: How long the run may take.
    """

    rate: float | None = None
    hours: float = 1.0


@dataclass(frozen=True, slots=True)
class AskingTime:
    """What some calls take.

    Attributes:
        calls: How many.
        servers: How many are given.
        rate: Answers per second of one of them.
        wished_hours: How long all calls may take.
    """

    calls: int
    servers: int
    rate: float
    wished_hours: float

    @property
    def hours(self) -> float:
        """With the servers that are given."""
        return self.calls / (self.servers * self.rate * _SECONDS_AN_HOUR)

    @property
    def servers_wanted(self) -> int:
        """For the hours that are wished; at least one."""
        return max(1, math.ceil(self.calls / (self.wished_hours * self.rate * _SECONDS_AN_HOUR)))

    @property
    def cpu_seconds(self) -> float:
        """Of this program."""
        return self.calls * CPU_SECONDS_A_DECISION

    @property
    def clients_wanted(self) -> int:
        """Processes that ask as fast as the servers that are wanted answer."""
        return max(1, math.ceil(self.servers_wanted * self.rate * CPU_SECONDS_A_DECISION))


def asking_lines(plan: Plan, bound: Estimate, wish: Wish) -> Iterator[tuple[str, str]]:
    """Rows of the plan that `groundlings check` prints: of the calls that are likely, and of a million.

    None where agents ask no server, unless its rate is said.

    Args:
        plan: The plan.
        bound: The most that it takes.
        wish: What is said of the servers.
    """
    asked = plan.config.mind.asked
    if asked is None or not bound.calls or _rate_unknown(asked, wish):
        return
    likely = round(bound.calls * plan.schedule.likely_sessions / plan.schedule.most_sessions)
    time = _time(asked, likely, wish)
    yield "asking", f"about {likely:,} calls, if people come as likely and see all pages: {_of(time)}"
    yield "", f"servers: {time.servers} of {_rate_words(time, wish)}"
    several = _several(time.clients_wanted, "process", "processes")
    how = " (execution.engine: pool)" if time.clients_wanted > 1 else ""
    yield "", f"this program: {_duration(time.cpu_seconds)} of CPU, at the pace of those servers in {several}{how}"
    share = _A_MILLION / bound.calls
    tokens = (
        f"{bound.prompt_tokens / bound.calls:,.0f} million tokens in, {bound.completion_tokens / bound.calls:,.1f} out"
    )
    money = "" if bound.money is None else f", money {bound.money * share:,.2f}"
    million = _time(asked, _A_MILLION, wish)
    yield "million", f"1,000,000 calls: about {tokens}{money}; {_of(million)}"


def asking_words(asked: ModelConfig, calls: int, wish: Wish) -> str | None:
    """How long some likely calls take, and on which assumption; None as with `asking_lines`."""
    if not calls or _rate_unknown(asked, wish):
        return None
    time = _time(asked, calls, wish)
    return (
        f"about {calls:,} calls, if people come as likely and see all pages: {_of(time)} of {_rate_words(time, wish)}"
    )


def _rate_unknown(asked: ModelConfig, wish: Wish) -> bool:
    return wish.rate is None and asked.provider in ("embedded", "scripted")


def _rate_words(time: AskingTime, wish: Wish) -> str:
    return f"{time.rate:g} answers per second each, {'as said' if wish.rate else 'an assumption (--server-rate)'}"


def _time(asked: ModelConfig, calls: int, wish: Wish) -> AskingTime:
    return AskingTime(calls, len(asked.endpoints) or 1, wish.rate or ASSUMED_ANSWERS_PER_SECOND, wish.hours)


def _of(time: AskingTime) -> str:
    given = _duration(time.hours * _SECONDS_AN_HOUR)
    wanted = _several(time.servers_wanted, "server", "servers")
    return f"{given} with {_several(time.servers, 'server', 'servers')}, {wanted} for {time.wished_hours:g} h (--hours)"


def _several(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _duration(seconds: float) -> str:
    if seconds >= _SECONDS_AN_HOUR:
        return f"{seconds / _SECONDS_AN_HOUR:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{math.ceil(seconds)} s"

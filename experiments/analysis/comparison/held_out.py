"""What real behaviour says of the arms of a run, as `held_out.json` holds it.

Each arm's recommender, as it is on the first day, is asked for a list for each of the agents, training items taken out
where the site does not show them again, and the list is scored by what the same users really met in the held-out part:
the difference to the first arm is paired over users. Held-out behaviour is what people chose themselves, so items that
nobody picked count as not wanted. Items that were shown at random do not have that fault: where a run has such
evidence, it decides before held-out behaviour.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.cleaning import printable_json
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.archive.directory import HELD_OUT_NAME, read_manifest, write_text

HELD_OUT_HASH = "held_out_sha256"
"""The manifest's key for the SHA-256 of `held_out.json`; the log seals the manifest."""

Source = Literal["random exposures", "logged exposures", "held-out behaviour"]
"""Kinds of evidence, the strongest first: nobody chose what was shown, a known policy did, people did."""

TAU_WANTED = 0.8
"""Kendall's tau of two audiences below which the order of arms depends on the audience."""


@dataclass(frozen=True, slots=True)
class RealEffect:
    """One kind of evidence on one arm.

    Attributes:
        source: What kind.
        metric: What is measured, in words.
        value: Mean over people, with its interval.
        difference: To the first arm, paired over people; of the first arm itself exactly nothing.
        decides: Whether its sign is held against a simulated one; other figures are told beside it.
    """

    source: Source
    metric: str
    value: Estimate
    difference: Difference
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """What an arm's likes rest on where P(like) is learnt from items that people picked: items that they hardly pick.

    Expected likes are those of one session on the first day with this run's mind.

    Attributes:
        outside: Share of the items shown that lie outside what people pick, mean over people.
        as_modelled: Relative difference of expected likes to the first arm, paired over people.
        if_disliked: The same if such items are liked as little as the least favourable source says.
    """

    outside: Estimate
    as_modelled: Estimate
    if_disliked: Estimate

    @property
    def decides(self) -> bool:
        """Whether the sign rests on it: clear as modelled, and another or unclear if such items are disliked."""
        modelled, disliked = _sign(self.as_modelled), _sign(self.if_disliked)
        return bool(modelled) and disliked is not None and disliked != modelled


def _sign(found: Estimate) -> int | None:
    """1 or -1 where the interval excludes zero, 0 where it does not; None without one."""
    if found.low is None or found.high is None:
        return None
    return int(found.low > 0) - int(found.high < 0)


@dataclass(frozen=True, slots=True)
class ArmBehaviour:
    """All evidence on one arm.

    Attributes:
        name: The arm, or a trivial recommender.
        effects: What was measured.
        missing: Why nothing was, "" where something was.
        extrapolation: What its likes rest on; None where P(like) is not learnt from picked items alone, or was not
            looked at.
    """

    name: str
    effects: tuple[RealEffect, ...] = ()
    missing: str = ""
    extrapolation: Extrapolation | None = None


@dataclass(frozen=True, slots=True)
class RepeatShares:
    """How much of what is taken up of an arm's first lists was known before, simulated and real.

    Attributes:
        simulated: Share of the expected clicks (in a shop purchases) on the pages seen that fall on items of the
            training part.
        real: Share of the repeats among all that the same people took up, in the held-out part, of the items that they
            were shown there; None where they took up none.
        clicks: Expected clicks or purchases, the denominator of `simulated`.
        taken: How often something was really taken up, each item of each day once: the denominator of `real`.
        of: What `simulated` is a share of, in words.
    """

    simulated: float | None
    real: float | None
    clicks: float
    taken: int
    of: str = "clicks"

    def differs_by_at_most(self, part: float) -> bool:
        """Whether the two differ by at most this part of the real one, beyond its noise; True where one is not known.

        The noise is that of a share of so many independent purchases, 95 %.
        """
        if self.simulated is None or self.real is None:
            return True
        noise = 1.96 * math.sqrt(self.real * (1 - self.real) / self.taken)
        return abs(self.simulated - self.real) <= part * self.real + noise


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two audiences order the arms.

    Attributes:
        first, second: The audiences.
        tau: Kendall's tau-b; arms that an audience does not tell apart are tied in its order.
        reversed: Pairs of arms that each of the two separates clearly, one the other way round.
    """

    first: str
    second: str
    tau: float
    reversed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Audiences:
    """What other simulated audiences make of the arms: expected clicks per session on the first day.

    Attributes:
        people: How many agents were asked, the same for all audiences.
        arms: Those that were ordered; copies of an arm, bounds and arms that ask a model are not among them.
        utilities: Audience -> mean expected clicks per session of each of these arms.
        agreements: Of each pair of audiences.
        missing: Why there are none, "" where there are.
    """

    people: int = 0
    arms: tuple[str, ...] = ()
    utilities: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    agreements: tuple[Agreement, ...] = ()
    missing: str = ""

    @property
    def lowest(self) -> Agreement | None:
        """The two audiences that agree least; None where fewer than two were asked."""
        return min(self.agreements, key=lambda each: each.tau, default=None)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What lies in `held_out.json`.

    Attributes:
        baseline: The first arm.
        population: Agents of the run, or the real users whose histories synthetic agents were made from.
        with_items: How many of them have held-out items; new ones, unless `repeats`.
        asked: How many of these the figures rest on.
        arms: Name -> what is known of it.
        trivial: The same of recommenders that know nothing of a person.
        audiences: Whether other audiences order the arms alike.
        missing: Why nothing was measured at all, "" where it was.
        no_exposures: Why exposures that the experiment file names were not used, "" where they were or none are named.
        repeats: Whether lists may hold items of the training part, so that taking them up again counts.
        repeat_shares: Arm -> how much of what is taken up was known; empty where it cannot be.
        of_real_users: Whether real users stand in for agents, whom nobody was.
    """

    baseline: str
    population: int = 0
    with_items: int = 0
    asked: int = 0
    arms: Mapping[str, ArmBehaviour] = field(default_factory=dict)
    trivial: tuple[ArmBehaviour, ...] = ()
    audiences: Audiences = field(default_factory=Audiences)
    missing: str = ""
    no_exposures: str = ""
    repeats: bool = False
    repeat_shares: Mapping[str, RepeatShares] = field(default_factory=dict)
    of_real_users: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `of_dict` takes them back."""
        return asdict(self)


def of_dict(content: object) -> HeldOut:
    """The values of a dictionary that `HeldOut.as_dict` made; raises `ValueError` where it does not fit."""
    return _reader().validate_python(content)


@functools.cache
def _reader() -> TypeAdapter[HeldOut]:
    """Made once: that takes longer than reading a file."""
    return TypeAdapter(HeldOut)


def write_held_out(directory: Path, found: HeldOut) -> str:
    """Write the file of a run; its SHA-256, for the manifest.

    Raises:
        RunDirectoryError: The directory cannot be written.
    """
    content = printable_json(found.as_dict()) + "\n"
    write_text(directory / HELD_OUT_NAME, content)
    return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()


def is_as_written(directory: Path) -> bool | None:
    """Whether a run's file is the one that its manifest speaks of; None where either is not there."""
    path, known = directory / HELD_OUT_NAME, read_manifest(directory).get(HELD_OUT_HASH)
    if known is None or not path.is_file():
        return None
    return bool(hashlib.sha256(path.read_bytes()).hexdigest() == known)


def _figure(cell: str) -> float:
    """A finite number; raises `ValueError` for NaN and what is too large for one."""
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(f"found {cell[:20]}, expected a finite number")
    return value


def read_held_out(directory: Path) -> HeldOut | None:
    """What lies in a run's directory, None where nothing does.

    Raises:
        RunDirectoryError: The file is damaged.
    """
    path = directory / HELD_OUT_NAME
    if not path.is_file():
        return None
    try:
        return of_dict(json.loads(bounded_text(path, regular=True), parse_constant=_figure, parse_float=_figure))
    except (OSError, ValueError, ValidationError, RecursionError) as fault:
        said = f"{fault.error_count()} values do not fit" if isinstance(fault, ValidationError) else str(fault)
        raise RunDirectoryError(
            f"{path}: cannot be read as what a run measures of its arms ({said}); restore it from a copy, or measure "
            f"it again with `groundlings run --resume {shlex.quote(str(directory))}`"
        ) from None

"""The picture of a preference: of lists that two recommenders drafted together, whose items users open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.comparison.preference import Preference
from groundlings.experiments.analysis.report.formatting import decimal
from groundlings.experiments.analysis.report.sections.bars import Bar, bars_of_sizes
from groundlings.experiments.analysis.report.sections.material import Material
from groundlings.experiments.archive import directory as files
from groundlings.recommenders.in_words import in_words

_COLOURS = ("baseline", "arm-1")
"""Of the first arm and of the other, as everywhere on the page where both stand for their picks."""


@dataclass(frozen=True, slots=True)
class Picks:
    """One of the two recommenders.

    Attributes:
        name: The arm.
        people: Users who opened more of its picks than of the other's.
        share: Share of the users who prefer its picks, in per cent; who opened as many of both counts half.
        interval: Of the share; "" where there is none.
        bar: From one half to the share.
        preferred: Whether a preference was found, and it is for this one.
        colour: Of its picks.
        about: How it works, in half a line; "" where nobody says.
    """

    name: str
    people: int
    share: str
    interval: str
    bar: Bar
    preferred: bool
    colour: str
    about: str


def picks_of(material: Material) -> tuple[Picks, ...]:
    """What the first screen shows where two recommenders drafted every list together; nothing in any other design."""
    found = material.comparison.preference
    return () if found is None else both_picks(found, _abouts(material))


def both_picks(found: Preference, abouts: Mapping[str, str]) -> tuple[Picks, ...]:
    """Both recommenders, the preferred one first; nothing where no preference can be known.

    Args:
        found: What interleaved lists tell.
        abouts: Arm -> how it works.
    """
    if found.share.mean is None:
        return ()
    share = (found.share.mean, found.share.low, found.share.high)
    mirrored = tuple(None if end is None else 1 - end for end in (share[0], share[2], share[1]))
    shares = {found.baseline: mirrored, found.arm: share}
    people = {found.baseline: found.prefer_baseline, found.arm: found.prefer_arm}
    bars = bars_of_sizes(
        {name: Size(False, *(None if end is None else end - 0.5 for end in each)) for name, each in shares.items()}
    )
    both = [
        Picks(
            name=name,
            people=people[name],
            share=_percent(middle),
            interval="" if low is None or high is None else f"[{_percent(low)}, {_percent(high)}]",
            bar=bars[name],
            preferred=found.clear and (middle or 0.0) > 0.5,
            colour=colour,
            about=abouts.get(name, ""),
        )
        for (name, (middle, low, high)), colour in zip(shares.items(), _COLOURS, strict=True)
    ]
    return tuple(sorted(both, key=lambda each: -(shares[each.name][0] or 0.0)))


def _abouts(material: Material) -> dict[str, str]:
    own = files.own_recommenders(files.read_manifest(material.run_dir))
    return {arm.name: in_words(arm.recommender) or own.get(arm.name, "") for arm in material.log.logged_arms()}


def _percent(share: float | None) -> str:
    return decimal(None if share is None else 100 * share, 0) + " %"

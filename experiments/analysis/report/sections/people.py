"""A dozen users who represent all, and the way to any other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundlings.experiments.analysis.people.spread import Chosen, choose_dozen
from groundlings.experiments.analysis.people.story import DayStory, stories
from groundlings.experiments.analysis.report import people_sentences
from groundlings.experiments.analysis.report.formatting import decimal, signed
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.stories import story_html, story_id

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_CHARACTERS = 600_000
"""Of all stories in a report together; pages of long sessions are left out first, then the second days, then users."""
_PAGES = (None, 6, 4, 3, 2, 1)
_NAMED_ATTRIBUTES = 3


@dataclass(frozen=True, slots=True)
class Guest:
    """One of the users who are shown.

    Attributes:
        agent_id: The log's number.
        title: The user, and what they were chosen by.
        about: A few attributes.
        anchor: Id of the first story.
        days: The stories as HTML: the user's first day, and the last one where there are several.
    """

    agent_id: int
    title: str
    about: str
    anchor: str
    days: tuple[Markup, ...]


def people_section(material: Material) -> Section:
    """Up to a dozen users chosen by a rule that represents the effect."""
    agents = material.log.agent_ids()
    dozen = choose_dozen(material.outcomes, _best(material), material.primary, agents)
    found = stories(material.log, [(each.agent_id, None) for each in dozen.people])
    guests = _guests(material, dozen.people, found)
    context = {
        "guests": guests,
        "stands_for": found[0].stands_for if found else "",
        "states_chance": any(arm.tally.expected is not None for told in found for arm in told.arms),
        "guest_anchors": {guest.agent_id: guest.anchor for guest in guests},
        "dozen_words": people_sentences.dozen(dozen, material.primary),
        "left_out_guests": len(dozen.people) - len(guests),
        "agent_range": (agents[0], agents[-1]) if agents else None,
    }
    return Section(context)


def _best(material: Material) -> str | None:
    """The arm with the best effect on the primary metric; None where none competes."""
    sign = -1 if material.primary.higher_is_better is False else 1
    known = [arm for arm in material.comparison.arms if arm.headline.effect.difference is not None]
    return max(known, key=lambda arm: sign * (arm.headline.effect.difference or 0.0)).name if known else None


def _guests(material: Material, people: Sequence[Chosen], first: Sequence[DayStory]) -> tuple[Guest, ...]:
    later = [(told.person.agent_id, told.days[-1]) for told in first if len(told.days) > 1]
    last = {told.person.agent_id: told for told in stories(material.log, later)}
    share = MOST_CHARACTERS // max(len(first) + len(last), 1)
    left = MOST_CHARACTERS
    found = []
    for each, told in zip(people, first, strict=True):
        days = []
        for day in (told, last.get(each.agent_id)):
            html = None if day is None else _fitting(material, day, share)
            if html is not None and len(html) <= left:
                left -= len(html)
                days.append(html)
        if days:
            title, about = _title(material, each, told)
            found.append(Guest(each.agent_id, title, about, story_id(each.agent_id, told.day), tuple(days)))
    return tuple(found)


def _fitting(material: Material, told: DayStory, most: int) -> Markup:
    """A story with as many pages per session as fit; of sessions of one page all of it."""
    found: dict[int, Markup] = {}

    def fits(choice: int) -> bool:
        found[choice] = story_html(told, material.style, _PAGES[choice])
        return len(found[choice]) <= most

    if not fits(0):
        # The fewer pages, the shorter: half of the other choices are left after each try.
        bisect_left(range(len(_PAGES)), True, lo=1, key=fits)
    fitting = [choice for choice, html in found.items() if len(html) <= most]
    return found[min(fitting, default=len(_PAGES) - 1)]


def _title(material: Material, chosen: Chosen, told: DayStory) -> tuple[str, str]:
    metric = material.primary
    if chosen.arm:
        where = f" with {chosen.arm}" if len(material.outcomes.arms) > 1 else ""
        value = f"{metric.label.lower()} {decimal(chosen.value, metric.decimals)}{where}"
    else:
        value = f"{signed(chosen.value, metric.decimals)} {metric.label.lower()}"
    about = ", ".join(f"{name} {value}" for name, value in told.person.chips[:_NAMED_ATTRIBUTES])
    return f"User {told.person.user_id}: {value}", about

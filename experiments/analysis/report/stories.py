"""A story as a fragment of HTML, the same in the report and in the web app."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from groundlings.environments.cleaning import printable
from groundlings.environments.conversation.talk_actions import ACCEPT
from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.people.story import ArmDay, DayStory, story
from groundlings.experiments.analysis.report import formatting
from groundlings.experiments.analysis.report.palette import Style, styles_of
from groundlings.experiments.analysis.report.skeleton import page_environment
from groundlings.experiments.analysis.report.sparkline import sparkline
from groundlings.experiments.archive.agent_history import StoryPage, StorySession, StorySlot
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_SATISFACTION = (1.0, 10.0)
_NAMED_ARMS, _NAMED_DAYS = 3, 14


@dataclass(frozen=True, slots=True)
class Mark:
    """What came of a slot: a class for the style sheet, a sign, and the same in words."""

    kind: str
    sign: str
    words: str


def styles_in(log: LogReader) -> Mapping[str, Style]:
    """How the report of a run draws its arms, from the log alone."""
    return styles_of([(arm.name, arm.sees_hidden_preference) for arm in log.visited_arms()])


def fragment(log: LogReader, agent: str, day: str | None = None) -> str:
    """What `people/<agent>?day=<day>` of a served report answers: that day of that agent in every arm.

    Args:
        log: The run's.
        agent: The log's number of the agent, as it stands in the address.
        day: 1 is the first; the agent's first day with a session if absent.

    Raises:
        ConfigError: There is no such agent, or no session of the agent on that day.
    """
    return str(story_html(day_of(log, agent, day), styles_in(log)))


def day_of(log: LogReader, agent: str, day: str | None = None) -> DayStory:
    """The story of an agent's day, named as in `fragment`; raises as it does."""
    return story(log, _whole("agent", agent), None if day is None else _whole("day", day) - 1)


def story_html(
    told: DayStory,
    looks: Mapping[str, Style],
    most_pages: int | None = None,
    day_link: Callable[[int, int], str] | None = None,
) -> Markup:
    """One day of one agent, escaped and cleaned.

    Args:
        told: The day.
        looks: Arm name -> how it is drawn.
        most_pages: Of each session; what is left out is said. All where it is None.
        day_link: (agent_id, day from 0) -> address of another day; where absent, the report's script loads it.
    """
    from markupsafe import Markup

    text = _template().render(
        told=told,
        looks=looks,
        most_pages=most_pages,
        id=story_id(told.person.agent_id, told.day),
        days=_days(told),
        day_link=day_link or (lambda _, __: "#people"),
        say=formatting,
        quoted=shlex.quote,
        mark=lambda slot: mark(slot, told.stands_for),
        also=lambda arm, slot: _also(told, arm, slot),
        rows=_rows,
        mood_line=_mood_line,
        mood=_mood,
        tally=tally_words,
    )
    return Markup(printable(text, newlines=True))  # noqa: S704 - escaped by the template


def story_id(agent_id: int, day: int) -> str:
    """The id of a story's element in a page."""
    return f"person-{agent_id}-{day + 1}"


def mark(slot: StorySlot, stands_for: str = "") -> Mark:
    """What came of a slot.

    Args:
        slot: Which.
        stands_for: What a click means in these data where it is more than a look at the item.
    """
    from groundlings.personas.minds.language.lines import opinion_words

    if slot.answer is not None:
        return Mark("opened", "●", "accepted") if slot.answer == ACCEPT else Mark("passed-over", "○", "refused")
    if slot.clicked is None:
        return Mark("unknown", "?", "not known")
    if slot.clicked:
        words = [f"opened ({stands_for})" if stands_for else "opened"]
        if slot.rating is not None:
            words.append(opinion_words(slot.rating, slot.opinion))
        if slot.bought is not None:
            paid = "" if slot.paid is None else f" for {slot.paid:.2f}"
            words.append(f"bought {slot.bought:g}{paid}")
        elif slot.in_cart:
            words.append("left in the cart")
        return Mark("opened", "●", ", ".join(words))
    if slot.examined is None:
        return Mark("passed-over", "○", "not opened")
    return Mark("passed-over", "○", "passed over") if slot.examined else Mark("unseen", "·", "not looked at")


def tally_words(arm: ArmDay) -> str:
    """Actual beside expected: "opened 2 of 20, expected 1.4"."""
    tally = arm.tally
    if not tally.shown:
        return "was shown nothing"
    if tally.accepted is not None:
        return f"accepted {tally.accepted:,} of {tally.shown:,} items named"
    if not tally.known:
        return "not known what was opened"
    words = f"opened {tally.opened:,} of {tally.known:,}"
    if tally.expected is not None:
        words += f", expected {tally.expected:.1f}"
    if tally.lost_pages:
        words += f"; {formatting.plural(tally.lost_pages, 'page')} not known"
    return words


def _also(told: DayStory, arm: ArmDay, slot: StorySlot) -> str:
    others = told.beside(arm, slot)
    if others is None:
        return ""
    if not others:
        return "only here"
    more = f" and {len(others) - _NAMED_ARMS} more" if len(others) > _NAMED_ARMS else ""
    return f"also: {', '.join(others[:_NAMED_ARMS])}{more}"


def _rows(page: StoryPage) -> list[tuple[str | None, list[StorySlot]]]:
    """The rows of a page with their names, from the top; a page of one list is one row without a name."""
    slots = page.slots
    if all(slot.row is None for slot in slots):
        return [(None, list(slots))]
    ordered = sorted(slots, key=lambda slot: (slot.row or 0, slot.place_in_row or 0))
    return [(row[0].row_name, row) for row in (list(group) for _, group in groupby(ordered, lambda slot: slot.row))]


def _mood_line(session: StorySession) -> Markup:
    """Satisfaction over the pages of a session; nothing with fewer than two pages that tell it."""
    from markupsafe import Markup

    said = [page.satisfaction for page in session.pages]
    if sum(each is not None for each in said) < 2:
        return Markup("")
    words = ", ".join("not known" if each is None else f"{each:g}" for each in said)
    line = sparkline(said, f"Satisfaction page by page, 1 to 10: {words}", _SATISFACTION, "arm-1", "moodline")
    return Markup(line)  # noqa: S704 - numbers, and a label that is escaped


def _mood(page: StoryPage) -> str:
    from groundlings.personas.minds.language.mood import mood_words

    return mood_words(page.mood) if page.mood else ""


def _days(told: DayStory) -> tuple[int | None, ...]:
    """The days that are offered, None for those between them that are not: the first, the last and the near ones."""
    days = told.days
    if len(days) <= _NAMED_DAYS:
        return days
    here = days.index(told.day)
    near = {0, 1, len(days) - 2, len(days) - 1, *range(max(here - 3, 0), min(here + 4, len(days)))}
    found: list[int | None] = []
    for place in sorted(near):
        if found and place - 1 not in near:
            found.append(None)
        found.append(days[place])
    return tuple(found)


def _whole(what: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ConfigError(f"{what}: found {text[:40]!r}, expected a whole number from 1 on, such as people/12?day=1")
    return int(text)


@cache
def _template() -> Template:
    return page_environment().get_template("story.html.j2")

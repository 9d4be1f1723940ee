"""The command `groundlings agent`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.environments.errors import ConfigError, shown
from groundlings.experiments.terminal import Terminal, plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from groundlings.experiments.archive.agent_history import Story, StoryCall, StoryPage, StorySession, StorySlot

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="ID", help="The user's id in the data set; without it, some are named.")
]
ArmOption = Annotated[str | None, typer.Option("--arm", metavar="NAME", help="This arm only.")]
DayOption = Annotated[
    int | None, typer.Option("--day", metavar="N", min=1, max=1_000_000, help="This day only, 1 is the first.")
]
PromptsOption = Annotated[bool, typer.Option("--prompts", help="Print prompts and replies of the model as well.")]

_ENDINGS = {
    "exit": "The agent left by choice.",
    "last_page": "There was no further page; when the agent would have left is not known.",
    "unreadable": "The session was cut short: the model's reply could not be read.",
    "unanswerable": "The session was cut short: the model's server refuses to answer what was asked.",
    "nothing_shown": "The recommender had nothing to show.",
}
_ACCEPTED = "The agent accepted what was named, and so ended the conversation."
_AWAY = "The agent did not enter the site."
_TOKENS = 6
_EXAMPLES = 3
_OUTCOMES = {
    "next_page": "turned the page",
    "exit": "left",
    "unreadable": "the reply could not be read",
    "unanswerable": "the model's server refuses to answer",
}


def agent(
    run: RunArgument,
    user: UserOption = None,
    arm: ArmOption = None,
    day: DayOption = None,
    prompts: PromptsOption = False,
) -> None:
    """Print the sessions of one agent page by page: impressions, actions, mood, memories and answers."""
    from groundlings.experiments.archive.agent_history import read_story
    from groundlings.experiments.archive.integrity import reading
    from groundlings.experiments.archive.log_check import FEW_ROWS, check_log, warn_of_changes
    from groundlings.simulator.log.reader import LogReader

    console = Terminal()
    with reading(run):
        with LogReader(run) as log:
            warn_of_changes(check_log(run, log, FEW_ROWS), run)
        if user is None:
            raise _name_one(run)
        # Put into words here as well: a value of another kind is found where it is worded.
        parts = list(render_story(read_story(run, user, arm, None if day is None else day - 1), prompts))
    for part in parts:
        console.print(part)


def _name_one(run: Path) -> ConfigError:
    """Which users there are, as the first of them that had a session."""
    from groundlings.simulator.log.reader import LogReader

    with LogReader(run) as log:
        ids, came = log.user_ids(), log.users_who_came(_EXAMPLES)
    some = f", for instance {' or '.join(map(shown, came))}" if came else "; none of them had a session"
    return ConfigError(
        f"--user: missing; name one of the {len(ids):,} users of this run by the id that the data set gives them{some}"
    )


_NOT_KEPT = (
    "The log of this run keeps measurements of users and no descriptions (log.personas); "
    "`groundlings personas show RUN --user ID` makes one from the data."
)


def render_story(story: Story, prompts: bool = False) -> Iterator[RenderableType]:
    """The sessions of one agent, part by part.

    Args:
        story: Whose.
        prompts: Whether to print what a model was shown and said.
    """
    from rich.panel import Panel

    title = _text(f"user {story.user_id}")
    known = _NOT_KEPT if story.description is None else story.description or "Nothing is known of this user."
    yield Panel(_text(known, newlines=True), title=title, title_align="left")
    if not story.sessions:
        yield _text("The log has no such session.")
    of_day = Counter((session.arm, session.day) for session in story.sessions)
    told = Counter[tuple[str, int]]()
    for session in story.sessions:
        day = (session.arm, session.day)
        told[day] += 1
        yield from _session(session, prompts, f" · session {told[day]} of {of_day[day]}" if of_day[day] > 1 else "")


def _session(session: StorySession, prompts: bool, which: str) -> Iterator[RenderableType]:
    from rich.rule import Rule

    yield Rule(_text(f"day {session.day + 1} · {session.arm}{which}", "bold"), align="left")
    for words in session.heard:
        yield _text(f"Before that, {words}", "italic", newlines=True)
    for page in session.pages:
        final = page is session.pages[-1]
        yield from _page(
            page, prompts, last=final and session.ended_by == "last_page", accepted=final and session.accepted
        )
    yield _text(_ending(session), "bold")
    if prompts:
        yield from _calls(session.calls)
    for kind, text in session.memories:
        yield _text(f"{'It thought' if kind == 'reflection' else 'It keeps'}: {text}", "italic", newlines=True)
    for question, answer in session.answers:
        yield _text(f"Asked: {question}", newlines=True)
        yield _text(
            f"  “{answer}”" if answer is not None else "  (the answer could not be read)", "italic", newlines=True
        )
    yield ""


def _ending(session: StorySession) -> str:
    if session.accepted:
        return _ACCEPTED
    return _AWAY if session.stayed_away else _ENDINGS.get(session.ended_by, session.ended_by)


def _page(page: StoryPage, prompts: bool, last: bool, accepted: bool) -> Iterator[RenderableType]:
    from rich.table import Table

    from groundlings.personas.minds.language.mood import mood_words

    mood = f", {mood_words(page.mood)}" if page.mood else ""
    heading = f": {page.heading}" if page.heading else ""
    yield _text(f"Page {page.number}{heading}{mood}", "underline")
    if prompts:
        yield from _calls(page.calls)
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(justify="right", style="dim")
    table.add_column(ratio=3)
    table.add_column(ratio=2)
    for slot in page.slots:
        table.add_row(str(slot.place), _item(slot), _deed(slot))
    yield table
    for refused in page.refused:
        yield _text(f"  refused by the environment: {refused}", "red")
    yield _text(f"  {_outcome(page, last, accepted)}")


def _item(slot: StorySlot) -> Text:
    shown = _text(slot.title, "bold" if slot.clicked else "")
    if slot.note is not None:
        shown.append_text(_text(f": {slot.note}", "italic"))
    elif slot.year is not None:
        shown.append(f" ({slot.year})")
    if slot.note is None and slot.genres:
        shown.append_text(_text(f"  {', '.join(slot.genres)}", "dim"))
    if slot.price is not None:
        shown.append(f"  {slot.price:.2f}")
    if slot.promoted:
        shown.append("  promoted", "italic")
    if slot.friends:
        shown.append(f"  {slot.friends} friend{'s' * (slot.friends > 1)} liked this", "italic")
    return shown


def _deed(slot: StorySlot) -> Text:
    from groundlings.environments.conversation.talk_actions import ACCEPT
    from groundlings.personas.minds.language.lines import opinion_words

    if slot.answer is not None:
        deed = _text("accepted", "green") if slot.answer == ACCEPT else _text("refused", "dim")
    elif slot.clicked is None:
        deed = _text("unknown", "dim")
    elif slot.clicked:
        deed = _text("opened", "green")
        if slot.rating is not None:
            deed.append(f", {opinion_words(slot.rating, slot.opinion)}")
        if slot.bought is not None:
            deed.append(f", bought {slot.bought:g}{'' if slot.paid is None else f' for {slot.paid:.2f}'}")
        elif slot.in_cart:
            deed.append(", left in the cart")
    else:
        deed = _text("not looked at" if slot.examined is False else "not clicked", "dim")
    if slot.probability is not None:
        deed.append(f"  P {slot.probability:.2f}", "dim")
    if slot.yes is not None:
        deed.append(f"  model {slot.yes:.2f}", "dim")
    if slot.grounded:
        deed.append("  as in the held-out data", "italic")
    if slot.reason:
        deed.append_text(_text(f"  “{slot.reason}”", "italic", newlines=True))
    return deed


def _outcome(page: StoryPage, last: bool, accepted: bool) -> str:
    if page.before_the_site and page.said:
        return "; ".join(page.said)
    said = []
    if page.feeling:
        said.append(f"felt {page.feeling}")
    if page.satisfaction is not None:
        said.append(f"satisfied {page.satisfaction:g} of 10")
    if page.refusal is not None:
        said.append(f"the server said: {page.refusal}")
    chance = "" if page.next_probability is None else f" (P of going on {page.next_probability:.2f})"
    if page.said and page.outcome == "next_page":
        return "; ".join([*said, *page.said])  # what was said led to the next page
    if accepted:
        return "; ".join([*page.said, *said])  # the table says what was accepted
    said.append("reached the last page" if last else _OUTCOMES[page.outcome] + chance)
    return "; ".join([*page.said, *said])


def _calls(calls: tuple[StoryCall, ...]) -> Iterator[RenderableType]:
    from rich.panel import Panel

    for call in calls:
        text = _text("")
        for role, content in call.messages:
            text.append(f"{role}\n", "bold dim")
            text.append_text(_text(f"{content}\n", "dim", newlines=True))
        text.append("reply\n", "bold")
        text.append_text(_text(call.reply, newlines=True))
        if call.first_token:
            listed = ", ".join(
                f"{token} {'unknown' if math.isnan(odds) else f'{math.exp(odds):.3f}'}"
                for token, odds in call.first_token[:_TOKENS]
            )
            text.append("\n")
            text.append_text(_text(f"likeliest first tokens: {listed}", "dim"))
        yield Panel(text, title=_text(f"{call.template}, {call.status}"), title_align="left", border_style="dim")


def _text(text: str, style: str = "", *, newlines: bool = False) -> Text:

    return plain(text, style, newlines=newlines)

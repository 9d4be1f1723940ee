"""The verdict: one compact reply says what an agent does with a whole page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from groundlings.environments import levels
from groundlings.environments.actions import Action, Illegal, lay_out
from groundlings.environments.chat import CallRecord
from groundlings.environments.decision import Decision
from groundlings.environments.trace import Remark, Trace
from groundlings.personas.mind import Situation
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.basket import Basket
from groundlings.personas.minds.language.config import LanguageOptions, Wording
from groundlings.personas.minds.language.prompt_rendering import View
from groundlings.personas.minds.language.reply_schema import (
    LIKE_WORDS,
    REASON_CHARACTERS,
    PageReply,
    read_reply,
    reply_schema,
)
from groundlings.personas.minds.language.search_box import SearchBox
from groundlings.personas.prompts import Prompt, worded_prompt


def prompt_of(wording: Wording, *, history: bool = False, noted: bool = False) -> Prompt:
    """What is asked for a verdict, in these words; with the sections of `history.md` and `noted.md` if needed."""
    more = [name for name, needed in (("history", history), ("noted", noted)) if needed]
    return worded_prompt(wording, "verdict", "agent", *more)


_TOKENS_A_REASON = REASON_CHARACTERS // 3
_TOKENS_A_NUMBER = 8
"""Of a slot and its units, with the signs round them."""

_WHY = (
    f"\nwhy: number and reason, at most {REASON_CHARACTERS} characters, of whatever you care to explain; {{}} for none."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a question.

    Attributes:
        view: What the agent saw.
        said: The reply, None where none could be read: the page is lost, and no action is made up.
        calls: What it took.
        basket, box: What of a shop and of a search box was asked about.
    """

    view: View
    said: PageReply | None
    calls: tuple[CallRecord, ...]
    basket: Basket
    box: SearchBox


async def verdict(view: View, asker: Asker, options: LanguageOptions, prompt: Prompt, things: str) -> Verdict:
    """Ask once and read the reply.

    Args:
        view: What the agent sees.
        asker: Asks the model.
        options: What may be said.
        prompt: The words of the question.
        things: What items are called.
    """
    situation, row = view.situation, view.row
    opinion = situation.legal.schema.opinion
    stars = () if opinion is None else situation.legal.values(opinion)
    likes = opinion == "like"
    may_go_on = bool(situation.legal.offers("next_page", situation.page)[row])
    number = situation.page.number
    basket, box = Basket.of(situation.legal.schema), SearchBox.of(situation, row)
    last = box.ask(number, may_go_on=may_go_on) or prompt.fill("ask" if may_go_on else "ask_last", number=number)
    question = Question(
        prompt=prompt,
        shared=_shared(
            prompt, stars, likes, things, options.feelings, options.stars_optional, options.reasons, basket, box.offered
        ),
        told=f"{view.told}\n{last}",
        schema=_schema(
            tuple(view.slots),
            stars,
            likes,
            may_go_on,
            options.feelings,
            options.stars_optional,
            options.reasons,
            basket,
            box.offered,
        ),
        draws=situation.sessions.draws,
        purpose="reply",
        number=number,
        more_tokens=_more_tokens(len(view.slots), basket, reasons=options.reasons),
        row=row,
    )
    said, calls = await asker.ask(
        question,
        lambda text: read_reply(
            text,
            takes_stars=bool(stars),
            likes=likes,
            may_go_on=may_go_on,
            stars_optional=options.stars_optional,
            reasons=options.reasons,
            basket=basket,
            box=box,
        ),
    )
    return Verdict(view, said, calls, basket, box)


def decided(situation: Situation, verdicts: Sequence[Verdict]) -> Decision:
    """What a cohort does, from what came of the question to each of its sessions, in their order."""
    calls = tuple(call for each in verdicts for call in each.calls)
    refused = {call.row: call.reply.text for call in calls if call.status == "unanswerable"}
    actions, stray = lay_out(situation.legal.schema, situation.page, [_told(each) for each in verdicts])
    remarks, unplaced = _reasons(verdicts)
    trace = Trace(
        display=np.concatenate([each.view.display for each in verdicts]),
        feelings=_feelings(verdicts),
        moods=tuple(each.view.mood for each in verdicts),
        remarks=remarks,
        calls=calls,
    )
    return Decision(
        actions,
        np.array([each.said is None for each in verdicts], dtype=np.bool_),
        trace,
        (*stray, *unplaced),
        tuple(refused.get(each.view.row) for each in verdicts) if refused else (),
    )


@lru_cache(maxsize=256)  # pages are alike: a few forms serve a whole run
def _schema(
    slots: tuple[int, ...],
    stars: tuple[float, ...],
    likes: bool,
    may_go_on: bool,
    feelings: tuple[str, ...],
    stars_optional: bool,
    reasons: bool,
    basket: Basket,
    searches: bool,
) -> Mapping[str, Any]:
    said = tuple(LIKE_WORDS) if likes and stars else stars
    asked = {"stars_optional": stars_optional, "reasons": reasons, "searches": searches}
    return reply_schema(slots, said, may_go_on, feelings, basket=basket, **asked)


def _more_tokens(n_slots: int, basket: Basket, *, reasons: bool) -> int:
    """What a reply to so many slots may take beyond the model's own bound."""
    lists = basket.cart + basket.buys
    return n_slots * ((_TOKENS_A_REASON if reasons else 0) + _TOKENS_A_NUMBER * lists)


@lru_cache(maxsize=64)
def _shared(
    prompt: Prompt,
    stars: tuple[float, ...],
    likes: bool,
    things: str,
    feelings: tuple[str, ...],
    stars_optional: bool,
    reasons: bool,
    basket: Basket,
    searches: bool,
) -> str:
    """What every agent of a run is told: the longest prefix that all prompts have in common."""
    meaning, box = f"the {things} you open", SearchBox(searches)
    if stars and likes:
        meaning += f', each with "like" or "dislike"{", or null for neither" if stars_optional else ""}'
    elif stars:
        listed = ", ".join(levels.texts(stars))
        meaning += f", with your stars ({listed}{', or null for none' if stars_optional else ''})"
    return prompt.fill(
        "shared",
        things=things,
        opened=('{"NUMBER":WORD}' if likes else '{"NUMBER":STARS}') if stars else "[NUMBER]",
        opened_nothing="{}" if stars else "[]",
        opened_meaning=meaning,
        why=basket.form + ('"why":{"NUMBER":TEXT},' if reasons else "") + box.form,
        why_meaning=basket.meaning + (_WHY if reasons else "") + box.meaning,
        feelings=", ".join(feelings),
    )


def _told(verdict: Verdict) -> list[Action]:
    """The actions of a reply; none of one that could not be read."""
    said, view = verdict.said, verdict.view
    if said is None:
        return []

    def slot(number: int | str) -> int:
        # A number that no slot was shown under names no item: it stays, for the site to refuse.
        return view.slots.get(int(number), int(number) - 1)

    told = [Action("click", slot(number)) for number in said.open]
    if isinstance(said.open, dict):
        opinion = view.situation.legal.schema.opinion or "rate"
        told += [
            Action(opinion, slot(number), LIKE_WORDS[each] if isinstance(each, str) else each)
            for number, each in said.open.items()
            if each is not None
        ]
    told += verdict.basket.actions(said.cart, said.buy, slot)
    told += verdict.box.actions(said.query)
    if said.next:
        told.append(Action("next_page"))
    told.append(Action("satisfaction", value=float(said.satisfaction)))
    return told


def _reasons(verdicts: Sequence[Verdict]) -> tuple[tuple[Remark, ...], tuple[Illegal, ...]]:
    """Why slots were opened or skipped, and the reasons that name no slot."""
    remarks: list[Remark] = []
    unplaced: list[Illegal] = []
    for each in verdicts:
        slots, row = each.view.slots, each.view.row
        for number, why in ((each.said and each.said.why) or {}).items():
            if int(number) in slots:
                remarks.append(Remark(row, slots[int(number)], "reason", why))
            else:
                unplaced.append(Illegal(row, None, f"reason for {number}", "the page shows no such slot"))
    return tuple(remarks), tuple(unplaced)


def _feelings(verdicts: Sequence[Verdict]) -> tuple[str | None, ...] | None:
    """In the agents' words, None where no reply could be read."""
    said = [None if each.said is None else each.said.feel for each in verdicts]
    return None if all(each is None for each in said) else tuple(said)

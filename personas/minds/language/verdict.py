"""The verdict: one compact reply says what an agent does with a whole page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from groundlings.environments import levels
from groundlings.environments.actions import Action, Illegal, lay_out
from groundlings.environments.chat import CallRecord
from groundlings.environments.decision import Decision
from groundlings.environments.trace import Remark, Trace
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


async def verdict(view: View, asker: Asker, options: LanguageOptions, prompt: Prompt, things: str) -> Decision:
    """Ask once and read the reply; where no reply can be read the page is lost, and no action is made up.

    Args:
        view: What the agent sees.
        asker: Asks the model.
        options: What may be said.
        prompt: The words of the question.
        things: What items are called.
    """
    situation = view.situation
    opinion = situation.legal.schema.opinion
    stars = () if opinion is None else situation.legal.values(opinion)
    likes = opinion == "like"
    may_go_on = bool(situation.legal.offers("next_page", situation.page)[0])
    number = situation.page.number
    basket, box = Basket.of(situation.legal.schema), SearchBox.of(situation)
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
    if said is None:
        return Decision.lost(situation.legal, situation.page, calls)
    return _decision(view, said, calls, basket, box)


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


def _decision(view: View, said: PageReply, calls: tuple[CallRecord, ...], basket: Basket, box: SearchBox) -> Decision:
    page = view.situation.page

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
    told += basket.actions(said.cart, said.buy, slot)
    told += box.actions(said.query)
    if said.next:
        told.append(Action("next_page"))
    told.append(Action("satisfaction", value=float(said.satisfaction)))
    actions, stray = lay_out(view.situation.legal.schema, page, [told])
    reasons = (said.why or {}).items()
    remarks = tuple(Remark(0, slot(number), "reason", why) for number, why in reasons if int(number) in view.slots)
    unplaced = tuple(
        Illegal(0, None, f"reason for {number}", "the page shows no such slot")
        for number, _ in reasons
        if int(number) not in view.slots
    )
    trace = Trace(feelings=(said.feel,), remarks=remarks, calls=calls)
    return Decision(actions, np.zeros(1, dtype=np.bool_), trace, (*stray, *unplaced))

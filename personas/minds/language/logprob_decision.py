"""The graded decision: the model says how likely, the platform draws.

    open   for every slot: P = logistic(slope * (log P("yes") - log P("no")) + intercept), of the first token of the
           answer; opened where the draw `click` of the person, the day and the item lies below it
    rate   for every opened slot: P(k) in proportion to the probability of the digit k; the stars are where the draw
           `stars` falls in its distribution function
    close  how the page felt, by one compact reply
    next   P = P("yes") / (P("yes") + P("no")); goes on where the draw `next` of the person, the day and the page lies
           below it

Two arms that show an item to a person on a day meet the same draw (`groundlings.environments.random_streams`), so their
difference is not blurred by sampling inside the model, and every decision can be audited: probability and draw of each
are logged. Verdicts saturate (models say yes to nearly everything); log-odds still order items, which `slope` and
`intercept` bring to a level. A page costs a call a slot, one for each opened item and two more; all but the last few
words of their prompts are alike, so a prefix cache finds them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit

from groundlings.environments import levels
from groundlings.environments.arrays import FloatArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.dataset import LIKES
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError
from groundlings.environments.side_by_side import side_by_side
from groundlings.environments.trace import Chance, Remark, Trace
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.config import LanguageOptions, Wording
from groundlings.personas.minds.language.lines import opinion_words
from groundlings.personas.minds.language.prompt_rendering import PromptRenderer, View
from groundlings.personas.minds.language.reply_schema import ClosingReply, closing_schema, read_closing
from groundlings.personas.prompts import Prompt, worded_prompt


def prompt_of(wording: Wording, *, history: bool = False, noted: bool = False) -> Prompt:
    """What is asked for grades, in these words; with the sections of `history.md` and `noted.md` if needed."""
    more = [name for name, needed in (("history", history), ("noted", noted)) if needed]
    return worded_prompt(wording, "graded", "agent", *more)


_YES_OR_NO = ("yes", "no")
_NO_OR_YES = ("no", "yes")
_MOST_STARS = 10


class GradedPage:
    """One page, asked about slot by slot.

    Args:
        view: What the agent sees.
        renderer: Puts titles into words.
        asker: Asks the model.
        options: How log-odds become probabilities.
        prompt: The words of the questions.
        things: What items are called.
    """

    def __init__(
        self, view: View, renderer: PromptRenderer, asker: Asker, options: LanguageOptions, prompt: Prompt, things: str
    ) -> None:
        self._view = view
        self._renderer = renderer
        self._asker = asker
        self._options = options
        self._prompt = prompt
        self._things = things
        self._opinion = view.situation.legal.schema.opinion
        self._calls: list[CallRecord] = []

    async def decide(self) -> Decision:
        """What the agent does; where any of its answers cannot be read the page is lost."""
        situation = self._view.situation
        page, draws = situation.page, situation.sessions.draws
        opening = await self._opening()
        if opening is None:
            return Decision.lost(situation.legal, page, self._calls)
        uniform = draws.uniform("click", page.items)
        clicked = uniform < opening
        rated = await self._rate([int(slot) for slot in np.flatnonzero(clicked[0])])
        if rated is None:
            return Decision.lost(situation.legal, page, self._calls)
        stars, remarks = rated
        done = self._done(stars)
        closing = await self._close(done)
        going_on = None if closing is None else await self._going_on(done, closing)
        if closing is None or going_on is None:
            return Decision.lost(situation.legal, page, self._calls)
        uniform_next = draws.uniform("next", np.array([page.number]))
        trace = Trace(
            chances={
                "click": Chance(opening, uniform),
                "next_page": Chance(going_on, np.where(np.isnan(going_on), np.nan, uniform_next)),
            },
            feelings=(closing.feel,),
            remarks=remarks,
            calls=tuple(self._calls),
        )
        given = np.array([[stars.get(slot, np.nan) for slot in range(page.items.shape[1])]])
        return Decision.of(
            situation.legal,
            page,
            trace,
            click=clicked,
            next_page=situation.legal.offers("next_page", page) & (uniform_next < going_on),
            satisfaction=np.array([float(closing.satisfaction)]),
            **({} if self._opinion is None else {self._opinion: given}),
        )

    async def _opening(self) -> FloatArray | None:
        """P(open) of every slot, shape (1, n_slots), 0 for empty ones."""
        page = self._view.situation.page
        asked = list(self._view.slots.items())
        shares = await self._odds(
            [self._about_slot("open", number, slot) for number, slot in asked], [_YES_OR_NO] * len(asked)
        )
        if shares is None:
            return None
        probability = np.zeros(page.items.shape)
        graded = self._options.graded
        for (_, slot), (yes, no) in zip(asked, shares, strict=True):
            probability[0, slot] = expit(graded.slope * float(np.log(yes) - np.log(no)) + graded.intercept)
        return probability

    async def _rate(self, opened: Sequence[int]) -> tuple[dict[int, float], tuple[Remark, ...]] | None:
        """The stars of every opened slot (NaN where the site takes none), and what they were drawn from."""
        situation = self._view.situation
        values = () if self._opinion is None else situation.legal.values(self._opinion)
        if not values:
            return dict.fromkeys(opened, np.nan), ()
        if len(values) > _MOST_STARS:
            raise ConfigError(
                f"mind.decision: graded reads stars from one digit and can tell {_MOST_STARS} values apart, "
                f"found {len(values)}; use decision: verdict"
            )
        if self._opinion == "like":
            return await self._like(opened)
        labels = _digits(values)
        numbers = {slot: number for number, slot in self._view.slots.items()}
        legend = dict(zip(labels, levels.texts(values), strict=True))
        unlike = any(label != value for label, value in legend.items())
        told = {
            "low": labels[0],
            "high": labels[-1],
            "legend": f" ({', '.join(f'{label} for {value}' for label, value in legend.items())})" if unlike else "",
        }
        shares = await self._odds(
            [self._about_slot("rate", numbers[slot], slot, **told) for slot in opened], [labels] * len(opened)
        )
        if shares is None:
            return None
        return self._drawn(opened, shares, values, list(legend.values()))

    async def _like(self, opened: Sequence[int]) -> tuple[dict[int, float], tuple[Remark, ...]] | None:
        """Whether each opened slot is liked or disliked: P(like) is that of "yes"."""
        numbers = {slot: number for number, slot in self._view.slots.items()}
        questions = [self._about_slot("like", numbers[slot], slot) for slot in opened]
        shares = await self._odds(questions, [_NO_OR_YES] * len(opened))
        return None if shares is None else self._drawn(opened, shares, LIKES.values, ["dislike", "like"])

    def _drawn(
        self, opened: Sequence[int], shares: Sequence[FloatArray], values: Sequence[float], names: Sequence[str]
    ) -> tuple[dict[int, float], tuple[Remark, ...]]:
        """The value of every opened slot, and what it was drawn from."""
        situation = self._view.situation
        uniform = situation.sessions.draws.uniform("stars", situation.page.items)[0]
        stars: dict[int, float] = {}
        remarks = []
        for slot, share in zip(opened, shares, strict=True):
            place = min(int(np.searchsorted(np.cumsum(share), uniform[slot], side="right")), len(values) - 1)
            stars[slot] = values[place]
            odds = dict(zip(names, np.round(share, 6).tolist(), strict=True))
            remarks.append(Remark(0, slot, "star_odds", json.dumps({"p": odds, "u": float(uniform[slot])})))
        return stars, tuple(remarks)

    async def _close(self, done: str) -> ClosingReply | None:
        feelings = self._options.feelings
        question = self._question("close", self._number, opened=done, feelings=", ".join(feelings))
        said, calls = await self._asker.ask(replace(question, schema=closing_schema(feelings)), read_closing)
        self._calls += calls
        return said

    async def _going_on(self, done: str, closing: ClosingReply) -> FloatArray | None:
        """P(next page), shape (1,), NaN where there is none."""
        situation = self._view.situation
        if not situation.legal.offers("next_page", situation.page)[0]:
            return np.array([np.nan])
        question = self._question(
            "next", self._number, opened=done, feeling=closing.feel, satisfaction=closing.satisfaction
        )
        shares = await self._odds([question], [_YES_OR_NO])
        return None if shares is None else shares[0][:1]

    async def _odds(self, questions: Sequence[Question], answers: Sequence[Sequence[str]]) -> list[FloatArray] | None:
        """The shares of the answers of every question, None where one of them is unreadable."""
        asked = (self._asker.odds(question, words) for question, words in zip(questions, answers, strict=True))
        found = await side_by_side(asked)
        self._calls += [call for _, call in found]
        shares = [share for share, _ in found if share is not None]
        return shares if len(shares) == len(found) else None

    def _about_slot(self, section: str, number: int, slot: int, **told: str) -> Question:
        page = self._view.situation.page
        title = self._renderer.title(page, slot)
        return self._question(section, int(page.items[0, slot]), slot=number, title=title, **told)

    def _question(self, section: str, about: int, **told: object) -> Question:
        prompt = self._prompt
        wanted = prompt.fill(section, number=self._number, **told)
        return Question(
            prompt=prompt,
            shared=prompt.fill("shared", things=self._things),
            told=f"{self._view.told}\n{wanted}",
            schema={"enum": list(_YES_OR_NO)},
            draws=self._view.situation.sessions.draws,
            purpose=section,
            number=about,
        )

    def _done(self, stars: dict[int, float]) -> str:
        page = self._view.situation.page
        named = [
            self._renderer.title(page, slot) + ("" if np.isnan(given) else f" ({opinion_words(given, self._opinion)})")
            for slot, given in stars.items()
        ]
        return ", ".join(named) or "nothing"

    @property
    def _number(self) -> int:
        return self._view.situation.page.number


def _digits(values: Sequence[float]) -> tuple[str, ...]:
    """One digit for every star value: the value itself where all are digits, else 1, 2, ... (0 to 9 for ten)."""
    told = levels.texts(tuple(values))
    if all(len(text) == 1 for text in told):
        return told
    first = 0 if len(values) == _MOST_STARS else 1
    return tuple(str(first + place) for place in range(len(values)))

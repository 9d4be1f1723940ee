"""How a language agent feels: explicit numbers that its own pages move, stated in every prompt and logged.

The state is a pure function of the pages of the session so far, so it needs no store and cannot drift from the log.
With the options' names, after a page of n shown slots, of which n_g carry topic g and o_g of those were opened:

    satisfaction  s <- s + weight * (said - s)            where the agent said how satisfied it was
    tiredness     t <- t + tiring * (1 - t)
    boredom       b_g <- (b_g + boring * (n_g - o_g) / n * (1 - b_g)) * (1 - relief * o_g / n_g)   if n_g > 0
                  b_g <- b_g * (1 - recovery)                                                      if n_g = 0

A page of one topic where nothing is opened moves boredom with it by `boring`; opening all that there is of it takes
`relief` away. Everybody arrives with s = 5.5, the middle of 1 to 10, t = 0 and no boredom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.trace import Mood
from groundlings.personas.mind import PageTurn
from groundlings.personas.minds.language.config import MoodOptions
from groundlings.personas.minds.language.text import one_line

ARRIVAL = Mood(satisfaction=5.5, tiredness=0.0, boredom={})

NOTABLE_BOREDOM = 0.25
"""From here on a topic is named as boring."""

_NAMED_TOPICS = 3
_TIRED = ((0.7, "very tired"), (0.4, "tired"), (0.15, "a little tired"), (0.0, "rested"))
_FORGOTTEN = 0.01


def mood_after(earlier: Sequence[PageTurn], row: int, catalog: Catalog, options: MoodOptions) -> Mood:
    """How a visitor feels after some pages of a session, oldest first; `row` is the session's row in each of them."""
    mood = ARRIVAL
    for turn in earlier:
        mood = _after_page(mood, turn, row, catalog, options)
    return mood


def mood_words(mood: Mood) -> str:
    """The state as a prompt says it: "a little tired, satisfied 6 of 10 so far, bored of Drama, War"."""
    parts = [next(word for least, word in _TIRED if mood.tiredness >= least)]
    if mood != ARRIVAL:
        parts.append(f"satisfied {mood.satisfaction:.0f} of 10 so far")
    bored = sorted((-boredom, topic) for topic, boredom in mood.boredom.items() if boredom >= NOTABLE_BOREDOM)
    if bored:
        parts.append(f"bored of {', '.join(one_line(topic, 40) for _, topic in bored[:_NAMED_TOPICS])}")
    return ", ".join(parts)


def _after_page(mood: Mood, turn: PageTurn, row: int, catalog: Catalog, options: MoodOptions) -> Mood:
    said = float(turn.decision["satisfaction"][row])
    satisfaction = (
        mood.satisfaction if math.isnan(said) else mood.satisfaction + options.weight * (said - mood.satisfaction)
    )
    slots, shown, opened = 0, dict[str, int](), dict[str, int]()
    for item, clicked in zip(turn.page.items[row].tolist(), turn.decision["click"][row].tolist(), strict=True):
        if item == NO_ITEM:
            continue
        slots += 1
        for topic in set(catalog.genres[item]):
            shown[topic] = shown.get(topic, 0) + 1
            opened[topic] = opened.get(topic, 0) + bool(clicked)
    boredom = {}
    for topic in sorted({*mood.boredom, *shown}):
        felt = mood.boredom.get(topic, 0.0)
        if topic in shown:
            passed = (shown[topic] - opened[topic]) / slots
            felt = (felt + options.boring * passed * (1 - felt)) * (1 - options.relief * opened[topic] / shown[topic])
        else:
            felt *= 1 - options.recovery
        if felt >= _FORGOTTEN:
            boredom[topic] = felt
    return Mood(satisfaction, mood.tiredness + options.tiring * (1 - mood.tiredness), boredom)

"""The steps from being shown to being liked or bought, in the words of the run: what its environment lets agents do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from groundlings.environments.conversation.talk_actions import ACCEPT
from groundlings.environments.feedback import default_counted
from groundlings.environments.interactions import Kind
from groundlings.environments.shop_actions import ADD_TO_CART, PAID, PURCHASE
from groundlings.environments.words import SHIPPED, Words
from groundlings.simulator.log.reading.participants import LoggedActions

SHOWN, LOOKED, CLICKS, LIKES = "shown", "looked", "clicks", "likes"
NOT_TOLD = "the mind does not say which slots it looked at"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel.

    Attributes:
        name: "shown", "looked", "clicks", "likes", or an action of the environment such as "purchase".
        label: As a heading: "Looked at", "Opened".
        of: The step whose share it is; "" for the first.
        note: What a reader has to know of it, "" where nothing.
        missing: Why it is not known, "" where it is.
    """

    name: str
    label: str
    of: str
    note: str = ""
    missing: str = ""


def steps_of(config: Mapping[str, Any], actions: LoggedActions | None, like_from: float, told: bool) -> list[Step]:
    """The steps of a run in the order of happening; likes branch off where items are opened.

    Args:
        config: As the log keeps it.
        actions: What could be done; None in an earlier log that does not say.
        like_from: From this rating on, it is a like.
        told: Whether the mind says which slots it looked at.
    """
    words = words_of(config)
    names = ("click",) if actions is None else actions.names
    found = [Step(SHOWN, "Shown", ""), Step(LOOKED, "Looked at", SHOWN, missing="" if told else NOT_TOLD)]
    before = LOOKED if told else SHOWN
    if "click" in names:
        found.append(Step(CLICKS, words.did("click").capitalize(), before, note=stands_for(words, actions)))
        before = CLICKS
    if ADD_TO_CART in names:
        found.append(Step(ADD_TO_CART, words.did("add_to_cart").capitalize(), before))
    if PURCHASE in names:
        bought = words.did("purchase").capitalize()
        found.append(Step(PURCHASE, bought, ADD_TO_CART if ADD_TO_CART in names else before))
    if actions is not None and actions.interaction not in ("click", ADD_TO_CART, PURCHASE):
        found.append(Step(actions.interaction, _did(actions.interaction).capitalize(), before))
    if actions is None or actions.opinion is not None:
        note = "" if actions is not None and actions.opinion == "like" else f"rated {like_from:g} or more"
        found.append(Step(LIKES, words.did("like").capitalize(), before, note=note))
    return found


def _did(action: str) -> str:
    """What was done, in the past tense; the verb of an environment's own action is known by its name alone."""
    if action == ACCEPT:
        return "accepted"
    name = action.replace("_", " ")
    return f"answered with \N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}"


def kinds_of(steps: list[Step], money: bool) -> tuple[str, ...]:
    """The kinds of events that the steps are counted from, with what was paid where that is wanted."""
    found = tuple(step.name for step in steps if step.name not in (SHOWN, LOOKED, CLICKS, LIKES))
    return (*found, PAID) if money and PURCHASE in found else found


def words_of(config: Mapping[str, Any]) -> Words:
    """What the items of a run are called and what is done with them, as far as its configuration says."""
    dataset = config.get("dataset")
    section = dataset if isinstance(dataset, Mapping) else {"name": dataset}
    if (shipped := SHIPPED.get(str(section.get("name")))) is not None:
        return shipped
    own = section.get("own") or {}
    things = (own.get("items") or {}).get("things") or {}
    verbs = dict((own.get("items") or {}).get("verbs") or {})
    counted = _counted(own.get("interactions") or {})
    if "interaction" not in verbs and len(counted) == 1 and counted[0] != "interaction":
        verbs["interaction"] = Words(verbs=verbs).did(counted[0])
    return Words(str(things.get("one", "item")), str(things.get("many", "items")), verbs)


def _counted(interactions: Mapping[str, Any]) -> tuple[Kind, ...]:
    """The kinds that are interactions, as far as the configuration alone tells."""
    if interactions.get("counted"):
        return tuple(interactions["counted"])
    kinds = interactions.get("kinds")
    named = {kinds} if isinstance(kinds, str) else set((kinds or {}).values())
    return default_counted([cast("Kind", kind) for kind in named if kind in get_args(Kind)])


def stands_for(words: Words, actions: LoggedActions | None) -> str:
    """What a click means where the data hold something else than clicks, and the environment no action for it."""
    if actions is not None and actions.interaction != "click":
        return ""
    verb = words.verbs.get("interaction")
    if verb is None or verb == words.did("click"):
        return ""
    return f"a click stands for \N{LEFT DOUBLE QUOTATION MARK}{verb}\N{RIGHT DOUBLE QUOTATION MARK} in these data"

"""How well a column fits what a data set needs, with the reasons in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.datasets.header_words import Role, fits_by_name, says_basket, says_id
from groundlings.environments.datasets.looks import Look

_PERHAPS = 0.5
"""Points of what is named as possible and not proposed."""
_AS_LIKELY = 0.5
"""Points within which two columns are as likely."""
_MOST_STARS, _MOST_KINDS = 101, 20
_FIRST_YEAR, _LAST_YEAR = 1000, 2100
_LONG_TEXT = 40
"""Characters on average, from which on a text is a description."""

EVENTS: dict[str, tuple[str, ...]] = {
    "view": ("view", "views", "pageview", "page_view", "pv", "detail", "impression", "seen"),
    "click": ("click", "clicks", "open", "opened"),
    "add_to_cart": ("add_to_cart", "addtocart", "cart", "basket", "add", "atc"),
    "purchase": ("purchase", "purchased", "buy", "bought", "order", "transaction", "sale", "checkout"),
    "play": ("play", "played", "listen", "watch", "stream"),
    "rating": ("rating", "rate", "rated", "review"),
    "like": ("like", "liked", "upvote", "favourite", "favorite", "fav", "thumbs_up"),
    "dislike": ("dislike", "disliked", "downvote", "thumbs_down", "skip"),
    "interaction": ("interaction",),
}
"""Our kinds of events, and cells that mean them."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a column fits a role.

    Attributes:
        look: The column.
        points: The more the better; from 1 on it is proposed.
        reasons: What speaks for it, in words.
    """

    look: Look
    points: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is proposed for a role.

    Attributes:
        key: As under `dataset.own` ("interactions.user").
        column: The header; None where no column fits.
        reasons: What speaks for it, in words.
        as_likely: Other columns that fit as well.
    """

    key: str
    column: str | None
    reasons: tuple[str, ...] = ()
    as_likely: tuple[str, ...] = ()


def chosen(key: str, looks: Sequence[Look], fit: Callable[[Look], Fit]) -> Choice:
    """The column that fits best, and those that fit as well."""
    fits = sorted((fit(look) for look in looks), key=lambda each: -each.points)
    able = [each for each in fits if each.points >= 1]
    if not able:
        return Choice(key, None)
    best = able[0]
    near = [each.look.name for each in able[1:] if each.points > best.points - _AS_LIKELY]
    return Choice(key, best.look.name, best.reasons, tuple(near))


def as_who_or_what(look: Look, role: Role, links: Sequence[str]) -> Fit:
    """Of a column of users or items among interactions; `links` are what other files say for it."""
    points, reasons = _named(look, role, 2.0)
    if links:
        points, reasons = points + 3, [*reasons, *links]
    if look.times is not None or _is_measure(look):
        return Fit(look, 0.0, ())
    other_one: Role = "item" if role == "user" else "user"
    if says_basket(look.name) or fits_by_name(look.name, other_one) > fits_by_name(look.name, role):
        return Fit(look, _PERHAPS, ())
    if says_id(look.name):
        points, reasons = points + 0.5, [*reasons, "its header says id"]
    other = max(fits_by_name(look.name, each) for each in ("rating", "weight", "timestamp", "kind"))
    if 1 < len(look.distinct) < look.rows and not other:
        points, reasons = points + 0.5, [*reasons, f"{len(look.distinct):,} different cells in {look.rows:,} rows"]
    return Fit(look, points if not other or links else 0.0, tuple(reasons))


def as_time(look: Look) -> Fit:
    """Of the moment of an interaction."""
    if look.times is None:
        return Fit(look, 0.0, ())
    points, reasons = _named(look, "timestamp", 1.5)
    first, last = int(look.times.ticks.min()), int(look.times.ticks.max())
    days = [np.datetime64(tick // look.times.per_second, "s").astype("datetime64[D]") for tick in (first, last)]
    return Fit(look, points + 1, (*reasons, f"its cells are moments from {days[0]} to {days[1]}"))


def as_stars(look: Look) -> Fit:
    """Of a rating; without a word for it in the header it is a guess, and left to the reader."""
    numbers = look.numbers
    if numbers is None or not 1 < len(numbers) <= _MOST_STARS or look.times is not None:
        return Fit(look, 0.0, ())  # one number tells nobody's likes apart: implicit feedback, which some write as 1
    points, reasons = _named(look, "rating", 1.5)
    told = f"it holds {len(numbers)} different numbers from {numbers[0]:g} to {numbers[-1]:g}"
    return Fit(look, points + 0.5 * (points > 0), (*reasons, told))


def as_weight(look: Look) -> Fit:
    """Of a quantity or a play time."""
    if look.numbers is None or look.numbers[0] < 0 or look.times is not None:
        return Fit(look, 0.0, ())
    points, reasons = _named(look, "weight", 1.5)
    few, most = (f"{number:g}" for number in look.numbers[[0, -1]])
    return Fit(look, points, (*reasons, f"it holds numbers from {few} to {most}" if few != most else f"it holds {few}"))


def as_kind(look: Look) -> Fit:
    """Of what a user did."""
    if look.numbers is not None or not 1 < len(look.distinct) <= _MOST_KINDS or look.empty or look.times is not None:
        return Fit(look, 0.0, ())
    points, reasons = _named(look, "kind", 1.0)
    known = [cell for cell in look.distinct if kind_of(cell) is not None]
    if known:
        points += 1.5 * len(known) / len(look.distinct)
        reasons.append(f"{len(known)} of its {len(look.distinct)} different cells name something that users do")
    return Fit(look, points, tuple(reasons))


def as_title(look: Look) -> Fit:
    """Of what people read as the name of an item."""
    points, reasons = _named(look, "title", 1.0)
    if look.numbers is not None or look.empty or not look.distinct:
        return Fit(look, 0.0, ())
    points += 0.5 * len(look.distinct) / look.rows
    if look.mean_length > 2 * _LONG_TEXT or fits_by_name(look.name, "text") > 0:
        points -= 0.6  # it describes rather than names
    return Fit(look, points, (*reasons, f"text, {len(look.distinct):,} different cells in {look.rows:,} rows"))


def as_year(look: Look) -> Fit:
    """Of a year."""
    numbers = look.numbers
    if numbers is None or numbers[0] < _FIRST_YEAR or numbers[-1] > _LAST_YEAR or (numbers != np.rint(numbers)).any():
        return Fit(look, 0.0, ())
    points, reasons = _named(look, "year", 1.5)
    return Fit(look, points, (*reasons, f"years from {numbers[0]:g} to {numbers[-1]:g}"))


def as_genres(look: Look) -> Fit:
    """Of categories."""
    points, reasons = _named(look, "genres", 1.0)
    if look.listed is not None:
        separator, words = look.listed
        how = "lists" if not separator else f"words between {separator!r}"
        return Fit(look, points + 1, (*reasons, f"its cells are {how}, {words:,} different ones"))
    if look.numbers is not None or len(look.distinct) > look.rows / 2 or look.mean_length > _LONG_TEXT:
        return Fit(look, 0.0, ())
    return Fit(look, points, (*reasons, f"{len(look.distinct):,} different words in {look.rows:,} rows"))


def as_cost(look: Look) -> Fit:
    """Of what the seller pays."""
    if look.numbers is None or look.numbers[0] < 0:
        return Fit(look, 0.0, ())
    points, reasons = _named(look, "cost", 1.5)
    return Fit(look, points, tuple(reasons))


def as_text(look: Look) -> Fit:
    """Of a longer description."""
    if look.numbers is not None or look.listed is not None:
        return Fit(look, 0.0, ())
    points, reasons = _named(look, "text", 1.0)
    points += (look.mean_length > _LONG_TEXT) / 2 + (look.mean_length > 2 * _LONG_TEXT) / 2
    return Fit(look, points, (*reasons, f"text of {look.mean_length:.0f} characters on average"))


def kind_of(cell: str) -> str | None:
    """Our word for what a cell names, None where it is not known."""
    plain = cell.strip().casefold().replace(" ", "_").replace("-", "_")
    return next((kind for kind, cells in EVENTS.items() if plain in cells), None)


def _named(look: Look, role: Role, most: float) -> tuple[float, list[str]]:
    share = fits_by_name(look.name, role)
    return most * share, ["its header says so"] if share > 0 else []


def _is_measure(look: Look) -> bool:
    """Whether a column holds numbers with decimals, which are no ids."""
    return look.numbers is not None and bool((look.numbers != np.rint(look.numbers)).any())

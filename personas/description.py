"""A person in plain words, second person, by a fixed template: what was measured and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Kind
from groundlings.personas.acts import Act, act_words
from groundlings.personas.persona import RatingStyle, Trait, Traits

EXAMPLES = 6
"""Titles named on each side."""

NOTABLE_LIFT = 1.25
"""A genre is named as a taste from this lift on, and as an aversion from its inverse down."""

NAMED_GENRES = 4
"""Genres named on each side."""

_ACTIVITY = {
    "low": "fewer than most people here",
    "medium": "about as many as most people here",
    "high": "more than most people here",
}
_CONFORMITY = {
    "low": "Your ratings often differ from those of other people.",
    "medium": "Your ratings agree with those of other people about as often as anybody's.",
    "high": "Your ratings are mostly close to those of other people.",
}
_DIVERSITY = {
    "low": "You keep to fewer kinds than most people",
    "medium": "You try about as many kinds as most people",
    "high": "You try more kinds than most people",
}


def describe_person(
    *,
    demographics: Mapping[str, str],
    style: RatingStyle,
    traits: Traits,
    liked: Sequence[int],
    disliked: Sequence[int],
    genre_lifts: Sequence[tuple[str, float]],
    catalog: Catalog,
    scale: RatingScale,
    acts: Sequence[Act] | None = None,
    n_taken: int = 0,
) -> str:
    """The description, one paragraph; what is unknown is not mentioned.

    Args:
        demographics: As the data set gives them.
        style: How the person uses the stars.
        traits: Activity, conformity and diversity.
        liked, disliked: Item numbers, most telling first.
        genre_lifts: Genre and lift, highest first.
        catalog: For titles and years.
        scale: The stars in use.
        acts: What the person did, where there is to be told.
        n_taken: How many of these, from the first on, are of the history that activity counts; the others are of
            stages before, such as looking at an item.
    """
    if acts is not None:
        told = _acts(acts, catalog)
        opening, breadth, stars = _taken(acts[:n_taken], traits, catalog), _kinds_tried(traits.diversity), ""
        if not scale.likes:
            stars = _stars(style, scale)
    else:
        told = ""
        behind = _count(int(traits.activity.value), "title")
        opening = f"You have {behind} behind you, {_ACTIVITY[traits.activity.level]}."
        breadth, stars = _breadth(traits), _stars(style, scale)
    sentences = [
        _who(demographics),
        opening,
        _tastes(genre_lifts),
        breadth,
        told,
        stars,
        _CONFORMITY[traits.conformity.level] if traits.conformity and stars else "",
        _examples("You liked", liked, catalog),
        _examples("You did not like", disliked, catalog),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _who(demographics: Mapping[str, str]) -> str:
    known = [f"{name.replace('_', ' ')}: {value}" for name, value in demographics.items()]
    return f"About you ({', '.join(known)})." if known else ""


def _tastes(genre_lifts: Sequence[tuple[str, float]]) -> str:
    more = [genre for genre, lift in genre_lifts if lift >= NOTABLE_LIFT][:NAMED_GENRES]
    less = [genre for genre, lift in reversed(genre_lifts) if lift <= 1 / NOTABLE_LIFT][:NAMED_GENRES]
    if more and less:
        return f"Compared with other people you go more for {_listed(more)}, and less for {_listed(less)}."
    if more:
        return f"Compared with other people you go more for {_listed(more)}."
    if less:
        return f"Compared with other people you go less for {_listed(less)}."
    return "The kinds you choose are those that other people choose, in about the same shares." if genre_lifts else ""


def _taken(acts: Sequence[Act], traits: Traits, catalog: Catalog) -> str:
    """How many items, by what was done most."""
    kinds = Counter[Kind]()
    for act in acts:
        kinds[act.kind] += act.count
    did = catalog.words.did(kinds.most_common(1)[0][0] if kinds else "like")
    items = catalog.words.counted(int(traits.activity.value))
    return (
        f"You {did} {items}, {_ACTIVITY[traits.activity.level]}." if traits.activity.compares else f"You {did} {items}."
    )


def _acts(acts: Sequence[Act], catalog: Catalog) -> str:
    some = [*acts[:EXAMPLES], *(act for act in acts[EXAMPLES:] if act.kind != acts[0].kind)][: 2 * EXAMPLES]
    titles = [catalog.titles_with_years[act.item] for act in some]
    return f"You {act_words(some, titles, catalog, 'the simulation')}." if some else ""


def _kinds_tried(diversity: Trait) -> str:
    """How many kinds, compared with others only where the comparison holds for most of them."""
    number = int(diversity.value)
    if not number:
        return ""
    tried = f"{_count(number, 'kind')} so far."
    return f"{_DIVERSITY[diversity.level]}: {tried}" if diversity.compares else f"You tried {tried}"


def _breadth(traits: Traits) -> str:
    kinds = int(traits.diversity.value)
    return f"{_DIVERSITY[traits.diversity.level]}: {_count(kinds, 'genre')} so far." if kinds else ""


def _stars(style: RatingStyle, scale: RatingScale) -> str:
    if style.mean is None:
        return ""
    habits = [
        f"{_percent(share)} were {stars:g}" for stars, share in sorted(style.shares.items(), reverse=True) if share > 0
    ]
    given = f"You rated {_count(style.ratings, 'title')} on a scale from {scale.low:g} to {scale.high:g}"
    if style.ratings == 1:
        return f"{given}: {style.mean:g}."
    return f"{given}, {style.mean:.1f} on average: {_listed(habits)}."


def _examples(opening: str, items: Sequence[int], catalog: Catalog) -> str:
    titles = catalog.titles_with_years
    return f"{opening} {_listed([titles[item] for item in items[:EXAMPLES]])}." if items else ""


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.005 else "under 1 %"

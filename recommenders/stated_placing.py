"""From rules and random slots as a file states them to what stands where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.layout import item_category
from groundlings.environments.words import plural
from groundlings.recommenders.caps import UNCAPPED, Caps
from groundlings.recommenders.placing import Placing
from groundlings.recommenders.rule_options import CapRule, PinRule, RandomSlots, Rule, item_number


def placing_of(
    rules: Sequence[Rule],
    slots: RandomSlots | None,
    catalog: Catalog,
    page_size: int | None,
    where: str,
    slots_where: str,
) -> Placing | None:
    """What pins, caps and random slots ask for, None where there are none; arguments and errors as of `rules.ruled`."""
    pins = [(number, rule.pin) for number, rule in enumerate(rules) if rule.pin is not None]
    caps = [(number, rule.cap) for number, rule in enumerate(rules) if rule.cap is not None]
    if not pins and not caps and slots is None:
        return None
    if page_size is None:
        raise ConfigError(f"{where}: pins, caps and random slots need to know how many slots a page has")
    pinned = _pins(pins, catalog, page_size, where)
    limits = _caps(caps, catalog, where) if caps else None
    if limits is not None:
        standing = limits.member[list(pinned.values())].sum(axis=0)
        over = np.flatnonzero((standing > limits.on_page) | (standing > limits.in_session))
        if len(over):
            raise ConfigError(
                f"{where}: {standing[over[0]]} pinned items are of the category {shown(catalog.genre_names[over[0]])}, "
                "more than its cap allows; take a pin out, or raise the cap"
            )
    pool, positions = np.ones(len(catalog), dtype=np.bool_), frozenset[int]()
    if slots is not None:
        if slots.pool != "all":
            pool = slots.pool.mask(catalog, f"{slots_where}.pool")
        positions = frozenset(position - 1 for position in slots.positions or ())
        for position in sorted(positions):
            if position >= page_size:
                room = plural(page_size, "slot")
                raise ConfigError(f"{slots_where}.positions: found {position + 1}, and a page has {room}")
            if position in pinned:
                raise ConfigError(f"{slots_where}.positions: an item is pinned at {position + 1}; take one of them out")
    share = (slots.share or 0.0) if slots is not None else 0.0
    return Placing(page_size, pinned, limits, share, positions, pool)


def _pins(pins: Sequence[tuple[int, PinRule]], catalog: Catalog, page_size: int, where: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, pin in pins:
        here = f"{where}[{number}].pin"
        item, slot = item_number(catalog, pin.item, f"{here}.item"), pin.position - 1
        if slot >= page_size:
            raise ConfigError(f"{here}.position: found {pin.position}, and a page has {plural(page_size, 'slot')}")
        if slot in found:
            raise ConfigError(f"{here}.position: another item is pinned at {pin.position}; take one of them out")
        if item in found.values():
            raise ConfigError(f"{here}.item: {shown(pin.item)} is pinned twice; an item stands on a page once")
        found[slot] = item
    return found


def _caps(caps: Sequence[tuple[int, CapRule]], catalog: Catalog, where: str) -> Caps:
    names = catalog.genre_names
    limits = {within: np.full(len(names), UNCAPPED, dtype=np.int64) for within in ("page", "session")}
    for number, cap in caps:
        limit = limits[cap.within]
        if cap.category is not None:
            item_category(catalog, cap.category, f"{where}[{number}].cap.category")
            columns: Any = names.index(cap.category)
        elif names:
            columns = slice(None)
        else:
            raise ConfigError(f"{where}[{number}].cap.per: no item of this data set has a category")
        limit[columns] = np.minimum(limit[columns], cap.at_most)
    return Caps(np.asarray(catalog.genre_matrix, dtype=np.bool_), limits["page"], limits["session"])

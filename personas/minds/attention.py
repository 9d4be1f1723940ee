"""Which slots of a page are looked at, where a page is more than one list.

    Grid. P(look at a slot) = line ** -exponent, lines counted from 1, independently for each slot, as places of a list
    are (`groundlings.personas.minds.click_model`).
    Carousels. How far a person goes is drawn for each of them, before anything is clicked:
        1. It is looked at with P = line ** -exponent; carousels without an item are not counted.
        2. Along it, the next slot out of view is scrolled to with `scroll_probability`, given that the slot before was
           reached; so P(k such slots are reached) = scroll_probability ** k.
        3. A slot that was reached is looked at with P = slot ** -slot_exponent, slots counted from 1.

The slots of a carousel stand and fall together, so the draws of 1 and 2 come first, and P(click) in the log is the one
given them: 0 on what was not reached. Its mean over carousels is the marginal one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions

if TYPE_CHECKING:
    from groundlings.personas.minds.browsing_parameters import BrowsingParameters

_PAGES = 1 << 20
"""More lines than a page has: the key of a line on a page."""


def attention(parameters: BrowsingParameters, sessions: Sessions, page: Page) -> FloatArray:
    """P(look) of each slot, shape (n_sessions, n_slots), given how far each person goes along carousels.

    Raises:
        ConfigError: Slots are out of view, and nobody says how often people scroll.
    """
    places = page.places
    if places is None:
        return np.broadcast_to(parameters.look(page.items.shape[1]), page.items.shape)
    lines = (places.rows + 1).astype(np.float64)
    if not places.names:
        return np.asarray(lines**-parameters.grid_exponent)
    key = places.rows + page.number * _PAGES
    looked = sessions.draws.uniform("look_at_row", key) < lines**-parameters.row_exponent
    reached = np.ones(looked.shape, dtype=np.bool_)
    if (places.scrolls > 0).any():
        if parameters.scroll_probability is None:
            raise ConfigError(
                "mind.scroll_probability: slots of a row are reached by scrolling, and no open log says how often "
                "people scroll; state P(scroll to the next slot), such as 0.5"
            )
        further = parameters.scroll_probability**places.scrolls
        reached = (places.scrolls == 0) | (sessions.draws.uniform("scroll", key) < further)
    along = (places.slots + 1).astype(np.float64) ** -parameters.slot_exponent
    return np.where(looked & reached, along, 0.0)

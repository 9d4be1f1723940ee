"""How agents browse: the keys of an experiment file that the click model reads."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.paths import NamedPath
from groundlings.personas.offers.options import OfferOptions, ShoppingOptions
from groundlings.personas.taste.utility import UtilityWeights


class BrowsingOptions(BaseModel):
    """How agents browse; what they like is estimated from the data set."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    exposures: NamedPath | None = None
    """What a log of exposures says of looking, opening and leaving: a file from `groundlings calibrate --exposures`.
    Keys that are stated go before it; what it could not identify stays a preset."""
    layout: Literal["list", "grid", "carousel"] | None = None
    """How attention falls where no exponent is stated or fitted: down a `list` (the default; exponent 0.6, from 56,477
    search result pages of ten), down the rows of a `grid` (0.6, chosen), or not at all in a `carousel` (0, from three
    places under a random policy)."""
    columns: int = Field(default=4, ge=1, le=100_000)
    """Items per row of a grid, where the site does not say it."""
    examination_exponent: float | None = Field(default=None, ge=0)
    """How fast attention falls: P(look at place k) = (1/k)^exponent; 0 = every slot is looked at. That of `layout` if
    absent."""
    slot_exponent: float | None = Field(default=None, ge=0)
    """How fast attention falls along a row of `site.layout`, as `examination_exponent` says it of rows from the top:
    P(look at slot k of a row that is looked at) = (1/k)^exponent. 0, as in a `carousel`, if absent."""
    scroll_probability: float | None = Field(default=None, ge=0, le=1)
    """P(scroll to the next slot of a row | the slot before was reached); required where rows have slots out of view."""
    utility: Literal["shown", "met"] | UtilityWeights | None = None
    """What makes people open an item that they look at: `shown` (a fifth of the log-odds of meeting it of their own
    accord, for an item that was put before them; the default where there are ratings), `met` (all of these log-odds;
    the default where there are none), or weights of your own."""
    random_click_rate: float | None = Field(default=None, gt=0, lt=1)
    """Mean P(click | looked at) over items drawn uniformly from an agent's candidate set. If absent, the share of such
    items that people met in the held-out fifth of their training history, so it knows the size of the catalog."""
    rating_probability: float = Field(default=1.0, ge=0, le=1)
    """P(give stars | clicked). MovieLens records only ratings, so there every clicked item is rated."""
    enough: float = Field(default=1.0, ge=1e-9)
    """How much must be found on a page for two thirds of full satisfaction, in items of the highest stars."""
    exit: Literal["flat", "rising"] | None = None
    """P(leave) where no rate is stated or fitted: `flat` over pages (0.45, the default, from 485 sessions of a news
    site) or `rising` (0.25 and 0.2 log-odds a page, chosen)."""
    leave_rate: float | None = Field(default=None, gt=0, lt=1)
    """P(leave) after the first page when it satisfied middlingly (5.5 of 10). That of `exit` if absent."""
    fatigue: float | None = Field(default=None, ge=0, le=1e9)
    """What each further page adds to the log-odds of leaving. That of `exit` if absent."""
    patience: float = Field(default=0.5, ge=0, le=1e9)
    """What a fully satisfying page takes off the log-odds of leaving, and an empty one adds. Chosen, not estimated."""
    grounded: bool = False
    """Grounded replay: an item with a held-out interaction of the user is clicked if it is looked at, and gets the real
    stars; the model decides about all others. Marked in the log (`grounded` events). Circular with every figure that
    rests on held-out behaviour, so `groundlings fidelity` refuses it."""
    offers: OfferOptions | None = None
    """What prices and promotions do to what is opened, where the data set has offers (docs/shop.md); estimated on the
    training history where it can be, else presets."""
    shopping: ShoppingOptions | None = None
    """How often what is opened is put into the cart and bought, where `site.actions` has these; counted in the training
    history where it tells them apart, else presets."""
    cohort_size: int = Field(default=4096, ge=1, le=1_000_000)
    """Sessions decided in one go. It changes the speed, never the result."""

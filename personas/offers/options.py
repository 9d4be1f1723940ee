"""What an experiment file may say of offers and of shopping: the keys `mind.offers` and `mind.shopping`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class OfferOptions(BaseModel):
    """What prices and promotions do to the log-odds of opening an item; 0 for nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    price: float | None = None
    """Per log(price / the item's own usual price). Estimated on the training history where it can be (dated offers that
    change, docs/shop.md), else -2.62."""
    category_price: float | None = None
    """Per log(the item's usual price / the median of its first genre or category). A preset of 0: between items, a
    price goes with quality, so the history cannot tell."""
    promoted: float | None = None
    """Of a promoted item. Estimated like `price`, else 0.56 (displays and mailers of the Complete Journey)."""


class ShoppingOptions(BaseModel):
    """What happens between opening an item and paying for it, where `site.actions` has a cart or purchases."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    add_rate: float | None = Field(default=None, gt=0, le=1)
    """P(put into the cart | opened). Counted in the history where it tells views, carts and purchases apart, else 0.5
    (chosen)."""
    purchase_rate: float | None = Field(default=None, gt=0, le=1)
    """P(buy | in the cart), or P(buy | opened) on a site without a cart. Counted likewise, else 0.7 (chosen)."""

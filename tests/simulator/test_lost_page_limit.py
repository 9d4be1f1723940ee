"""How many pages may be lost before a run stops."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from groundlings.simulator.lost_pages import lower_bound


@given(st.integers(1, 2000).flatmap(lambda pages: st.tuples(st.integers(0, pages), st.just(pages))))
def test_the_bound_lies_below_the_share_and_comes_nearer_with_more_pages(counts):
    lost, pages = counts
    bound = lower_bound(lost, pages)
    assert -1e-12 <= bound <= lost / pages + 1e-12
    assert lower_bound(10 * lost, 10 * pages) >= bound - 1e-12


@given(st.integers(50, 2000), st.floats(0.05, 0.95))
def test_chance_alone_stops_no_run(pages, share):
    """With just the share that is allowed, as many lost pages as would stop the run come once in a hundred times."""
    stops = next(lost for lost in range(pages + 1) if lost == pages or lower_bound(lost, pages) > share)
    assert binom.sf(stops - 1, pages, share) < 0.01

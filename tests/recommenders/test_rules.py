"""Rules hold whatever the recommender inside, and say what chance they leave."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender, ScoringRecommender
from groundlings.recommenders.contract import RecommenderContract, toy_catalog
from groundlings.recommenders.exploration import EpsilonSlots
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender
from groundlings.recommenders.rule_options import RandomSlots, Rule
from groundlings.recommenders.rules import RuledRecommender, ruled

N_ITEMS = 14
CATEGORIES = ("A", "B", "C")


class ByNumber(ScoringRecommender):
    """Item 0 first; it needs no history."""

    def fit(self, interactions, catalog):
        raise AssertionError("not needed here")

    def score(self, users):
        return np.broadcast_to(-np.arange(float(N_ITEMS)), (len(users), N_ITEMS))


class ForWaiting(AsyncRecommender):
    """The same for those who wait for it, never more than some items at a time."""

    def __init__(self, most=N_ITEMS):
        self.inner, self.most = ByNumber(), most

    def fit(self, interactions, catalog):
        raise AssertionError("not needed here")

    async def rank(self, request):
        await asyncio.sleep(0)
        return self.inner.recommend(replace(request, size=min(request.size, self.most)))


def catalog_of(genres) -> Catalog:
    ids = tuple(f"i{item}" for item in range(len(genres)))
    return Catalog(ids, ids, np.full(len(genres), np.nan), tuple(map(tuple, genres)))


ABC = catalog_of([(CATEGORIES[item % 3],) for item in range(N_ITEMS)])


def request_for(seen, size, *, users=None, page=1, shown=None, first=0) -> RankingRequest:
    seen = np.atleast_2d(np.asarray(seen, dtype=float))
    users = np.arange(len(seen)) if users is None else users
    return RankingRequest(
        users, size, sp.csr_array(seen), Draws.for_sessions(5, users, 0), page=page, shown=shown, first=first
    )


def rules_of(*rules) -> tuple[Rule, ...]:
    return tuple(map(Rule.model_validate, rules))


def listed(recommender, request) -> Ranking:
    ranking = asyncio.run(recommender.rank(request))
    ranking.check(request, request.seen.shape[1])
    return ranking


def shown_by(rules, size=6, *, seen=None, page_size=6, slots=None, of=None, **request) -> list[int]:
    """The one list that rules make of items by number."""
    recommender = ruled(of or ByNumber(), rules_of(*rules), slots, ABC, page_size)
    (items,) = listed(recommender, request_for(np.zeros(N_ITEMS) if seen is None else seen, size, **request)).items
    return items[items != NO_ITEM].tolist()


@st.composite
def worlds(draw):
    """A catalog, rules that do not contradict each other, random slots or none, and what sessions have seen."""
    genres = draw(st.lists(st.sets(st.sampled_from(CATEGORIES)), min_size=N_ITEMS, max_size=N_ITEMS))
    genres[0] = {"A"}
    page_size, pages = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    out = draw(st.sets(st.integers(0, N_ITEMS - 1), max_size=4))
    slots = draw(st.lists(st.integers(1, page_size), unique=True, max_size=2))
    free = draw(st.permutations([item for item in range(N_ITEMS) if item not in out]))
    pins = dict(zip(slots, free, strict=False))
    rules = [{"pin": {"item": f"i{item}", "position": slot}} for slot, item in pins.items()]
    rules += [{"exclude": {"items": [f"i{item}" for item in sorted(out)]}}] if out else []
    caps = {within: draw(st.none() | st.integers(len(pins) or 1, 4)) for within in ("page", "session")}
    rules += [{"cap": {"per": "category", "at_most": most, "within": within}} for within, most in caps.items() if most]
    if draw(st.booleans()):
        rules.append({"boost": {"category": "A", "by": draw(st.integers(-5, 5).filter(bool))}})
    left = [slot for slot in range(1, page_size + 1) if slot not in pins]
    random = draw(
        st.none()
        | st.builds(RandomSlots, share=st.floats(0.1, 1))
        | (st.builds(RandomSlots, positions=st.just(tuple(left))) if left else st.none())
    )
    seen = draw(st.lists(st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS), min_size=1, max_size=4))
    return catalog_of(genres), draw(st.permutations(rules)), random, np.array(seen), page_size, pages, pins, out, caps


@given(world=worlds(), waits=st.booleans())
def test_rules_hold_together_and_lists_keep_their_promises(world, waits):
    catalog, rules, random, seen, page_size, pages, pins, out, caps = world
    recommender = ruled(ForWaiting() if waits else ByNumber(), rules_of(*rules), random, catalog, page_size)
    request = request_for(seen, page_size * pages)
    ranking = listed(recommender, request)  # no item twice, none that was seen, no gaps
    for row, items in enumerate(ranking.items):
        items = items[items != NO_ITEM].tolist()
        assert not set(items) & out
        for slot, item in pins.items():
            if not seen[row, item]:
                place = items.index(item)
                early = set(items[place:]) <= set(pins.values())  # nothing else was left to stand before it
                assert place == slot - 1 or (place < slot - 1 and early)
        parts = [items[first : first + page_size] for first in range(0, len(items), page_size)]
        for within, lists in (("page", parts), ("session", [items])):
            counts = [Counter(genre for item in part for genre in catalog.genres[item]) for part in lists]
            assert caps[within] is None or all(n <= caps[within] for count in counts for n in count.values())
    if not waits:
        at_once = recommender.recommend(request)
        np.testing.assert_array_equal(at_once.items, ranking.items)
        np.testing.assert_array_equal(at_once.propensities, ranking.propensities)
    if random is None:
        assert (ranking.propensity_kind, recommender.randomised) == ("deterministic", False)
        assert np.all(ranking.propensities == 1)
        assert not ranking.explored.any()
    else:
        assert (ranking.propensity_kind, recommender.randomised) == ("exact", True)


@given(world=worlds())
def test_a_session_alone_is_shown_what_it_is_shown_in_company(world):
    catalog, rules, random, seen, page_size, pages, *_ = world
    recommender = ruled(ByNumber(), rules_of(*rules), random, catalog, page_size)
    together = listed(recommender, request_for(seen, page_size * pages))
    last = len(seen) - 1
    alone = listed(recommender, request_for(seen[last:], page_size * pages, users=np.array([last])))
    assert alone.items[0].tolist() == together.items[last].tolist()
    np.testing.assert_allclose(alone.propensities[0], together.propensities[last])


def test_an_excluded_category_is_asked_for_by_nobody_and_lists_stay_full():
    assert shown_by([{"exclude": {"category": "A"}}]) == [1, 2, 4, 5, 7, 8]
    assert shown_by([{"exclude": {"items": ["i1", "i2"]}}, {"exclude": {"items": ["i0"]}}], 3) == [3, 4, 5]


def test_a_pinned_item_stands_at_its_slot_of_the_first_page_and_nowhere_else():
    pins = [{"pin": {"item": "i9", "position": 3}}, {"pin": {"item": "i1", "position": 1}}]
    assert shown_by(pins) == [1, 0, 9, 2, 3, 4]
    assert shown_by(pins, 4, page=2) == [0, 1, 2, 3], "what a later page is asked for has no pins"
    seen = np.zeros(N_ITEMS)
    seen[9] = 1
    assert shown_by(pins, 4, seen=seen) == [1, 0, 2, 3], "nobody is shown again what they have seen"
    seen = np.ones(N_ITEMS)
    seen[[3, 9]] = 0
    assert shown_by(pins, 4, seen=seen) == [3, 9], "a list has no gap before a pin"


def test_a_pin_in_a_later_row_of_a_page_waits_for_it():
    pins = [{"pin": {"item": "i0", "position": 4}}]
    assert shown_by(pins, 2) == [1, 2]
    above = np.array([[1, 2]], dtype=np.int32)
    seen = np.zeros(N_ITEMS)
    seen[[1, 2]] = 1
    assert shown_by(pins, 3, seen=seen, shown=above, first=2) == [3, 0, 4]


def test_a_cap_counts_on_each_page_or_in_the_whole_session():
    assert shown_by([{"cap": {"category": "A", "at_most": 1}}], page_size=3) == [0, 1, 2, 3, 4, 5]
    assert shown_by([{"cap": {"category": "A", "at_most": 1, "within": "session"}}]) == [0, 1, 2, 4, 5, 7]
    assert shown_by([{"cap": {"per": "category", "at_most": 1}}]) == [0, 1, 2], "a list ends where nothing may follow"
    earlier = np.array([[0, 1, 3, 4]], dtype=np.int32)
    seen = np.zeros(N_ITEMS)
    seen[[0, 1, 3, 4]] = 1
    cap = {"cap": {"per": "category", "at_most": 2, "within": "page"}}
    # Two slots of the page stand above: one of A (item 3), one of B (item 4).
    assert shown_by([cap], 4, seen=seen, shown=earlier, page=2, first=2) == [2, 5, 6, 7]
    capped = {"cap": {"per": "category", "at_most": 2, "within": "session"}}
    assert shown_by([capped], 4, seen=seen, shown=earlier, page=2, first=2) == [2, 5]


def test_a_pin_takes_part_of_a_cap_before_it_is_reached():
    rules = [{"pin": {"item": "i3", "position": 5}}, {"cap": {"category": "A", "at_most": 1}}]
    assert shown_by(rules) == [1, 2, 4, 5, 3, 7]


def test_a_recommender_with_short_lists_is_not_asked_for_ever():
    cap = [{"cap": {"category": "A", "at_most": 1}}]
    assert shown_by(cap, of=ForWaiting(most=4)) == [0, 1, 2]


def test_a_cap_has_longer_lists_asked_for_until_they_are_full():
    few = catalog_of([("A",)] * 12 + [("B",)] * 2)
    recommender = ruled(ForWaiting(), rules_of({"cap": {"category": "A", "at_most": 1}}), None, few, 3)
    assert listed(recommender, request_for(np.zeros((2, N_ITEMS)), 3)).items.tolist() == [[0, 12, 13]] * 2


@pytest.mark.parametrize(
    ("items", "by", "expected"),
    [
        (["i4", "i7"], 3, [0, 4, 1, 2, 3, 7]),
        (["i4"], 1, [0, 1, 2, 4, 3, 5]),
        (["i13"], 9, [0, 1, 2, 3, 13, 4]),
        (["i1", "i4"], -1, [0, 2, 1, 3, 5, 4]),
    ],
)
def test_a_boost_moves_items_by_places(items, by, expected):
    assert shown_by([{"boost": {"items": items, "by": by}}]) == expected


def test_scores_move_with_their_items_and_a_pin_has_none():
    rules = rules_of({"boost": {"items": ["i4"], "by": 4}}, {"pin": {"item": "i9", "position": 2}})
    ranking = listed(ruled(ByNumber(), rules, None, ABC, 6), request_for(np.zeros(N_ITEMS), 3))
    np.testing.assert_array_equal(ranking.items[0], [4, 9, 0])
    np.testing.assert_array_equal(ranking.scores[0], [-4, np.nan, 0])


CAPPED = rules_of(
    {"cap": {"category": "A", "at_most": 2}}, {"exclude": {"items": ["i1"]}}, {"pin": {"item": "i8", "position": 2}}
)


@pytest.mark.parametrize(
    "slots",
    [
        RandomSlots(share=0.4),
        RandomSlots(positions=(1, 3), pool={"items": ["i0", "i2", "i3", "i6"]}),
        RandomSlots(share=0.5, pool={"category": "A"}),
    ],
    ids=["share", "positions", "category"],
)
@pytest.mark.parametrize("by_page", [False, True])
def test_propensities_of_random_slots_are_the_frequencies(slots, by_page):
    sessions, small = 10_000, 7
    catalog = catalog_of([(CATEGORIES[item % 3],) for item in range(9)])

    class Seven(ByNumber):
        def score(self, users):
            return np.broadcast_to(-np.arange(9.0), (len(users), 9))

    recommender = ruled(Seven(), CAPPED, slots, catalog, 4)
    seen = np.zeros((sessions, 9))
    seen[:, small] = 1
    ranking = listed(recommender, request_for(seen, 4))
    if by_page:  # the second page of the same session, asked for by itself
        request = request_for(np.zeros((sessions, 9)), 4)
        shown = np.repeat(ranking.items[:1], sessions, axis=0)
        seen[np.arange(sessions)[:, None], shown] = 1
        ranking = listed(recommender, replace(request, seen=sp.csr_array(seen), page=2, shown=shown))
    chances = defaultdict(set)
    counts: Counter[tuple[int, ...]] = Counter()
    for items, propensities in zip(ranking.items.tolist(), ranking.propensities, strict=True):
        for rank in range(len(items)):
            counts[tuple(items[: rank + 1])] += 1
            chances[tuple(items[: rank + 1])].add(round(float(propensities[rank]), 12))
    for prefix, found in chances.items():
        (chance,) = found
        before = counts[prefix[:-1]] if len(prefix) > 1 else sessions
        spread = 5 * np.sqrt(chance * (1 - chance) / before) + 1e-9
        assert abs(counts[prefix] / before - chance) <= spread, (prefix, counts[prefix] / before, chance)


def test_chance_in_one_slot_is_independent_of_chance_in_another():
    recommender = ruled(ByNumber(), (), RandomSlots(share=0.5), ABC, 2)
    seen = np.zeros((10_000, N_ITEMS))
    coins = listed(recommender, request_for(seen, 4)).explored
    again = listed(recommender, request_for(seen, 2, page=2)).explored
    for one, other in ((coins[:, 0], coins[:, 1]), (coins[:, 0], coins[:, 2]), (coins[:, 0], again[:, 0])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    np.testing.assert_array_equal(coins[:, 2:], again), "the same slot of the same page draws the same lot"


def test_pins_and_exclusions_leave_the_lots_of_another_recommender_as_they_are():
    inner = EpsilonSlots(ByNumber(), 0.5)
    rules = rules_of({"pin": {"item": "i9", "position": 2}}, {"exclude": {"items": ["i0"]}})
    recommender = ruled(inner, rules, None, ABC, 4)
    seen = np.zeros((50, N_ITEMS))
    hidden = seen.copy()
    hidden[:, [0, 9]] = 1
    ranking, without = listed(recommender, request_for(seen, 4)), listed(inner, request_for(hidden, 4))
    rest = [0, 2, 3]
    np.testing.assert_array_equal(ranking.items[:, rest], without.items[:, :3])
    np.testing.assert_array_equal(ranking.propensities[:, rest], without.propensities[:, :3])
    np.testing.assert_array_equal(ranking.explored[:, rest], without.explored[:, :3])
    assert (ranking.propensity_kind, recommender.randomised) == ("exact", True)


@pytest.mark.parametrize("rule", [{"cap": {"per": "category", "at_most": 1}}, {"boost": {"category": "A", "by": 1}}])
def test_what_would_hide_the_chances_of_another_recommender_is_refused(rule):
    with pytest.raises(ConfigError, match=r"rules.*RandomOrderRecommender draws at random.*`ruled` as `of`"):
        ruled(RandomOrderRecommender(), rules_of(rule), None, ABC, 4)
    with pytest.raises(ConfigError, match=r"slots: random slots would change"):
        ruled(RandomOrderRecommender(), (), RandomSlots(share=0.1), ABC, 4)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"pin": {"item": "i99", "position": 1}}], r"rules\[0\].pin.item: the data set has no item 'i99'"),
        ([{"pin": {"item": "i1", "position": 7}}], r"rules\[0\].pin.position: found 7, and a page has 6 slots"),
        ([{"pin": {"item": "i1", "position": 1}}, {"pin": {"item": "i2", "position": 1}}], r"rules\[1\].*another item"),
        ([{"pin": {"item": "i1", "position": 1}}, {"pin": {"item": "i1", "position": 2}}], r"rules\[1\].*pinned twice"),
        ([{"pin": {"item": "i1", "position": 1}}, {"exclude": {"category": "B"}}], r"rules\[0\].pin.*excluded"),
        ([{"exclude": {"category": "a"}}], r"rules\[0\].exclude.category: no item has the category 'a'.*A, B, C"),
        ([{"cap": {"category": "D", "at_most": 1}}], r"rules\[0\].cap.category"),
        ([{"boost": {"items": ["i1", "x"], "by": 2}}], r"rules\[0\].boost.items\[1\]: the data set has no item 'x'"),
        (
            [
                {"pin": {"item": "i0", "position": 1}},
                {"pin": {"item": "i3", "position": 2}},
                {"cap": {"per": "category", "at_most": 1}},
            ],
            "2 pinned items are of the category 'A'",
        ),
    ],
)
def test_rules_that_cannot_hold_are_refused_with_their_place(rules, message):
    with pytest.raises(ConfigError, match=message):
        ruled(ByNumber(), rules_of(*rules), None, ABC, 6)


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ({"positions": [7]}, r"slots.positions: found 7, and a page has 6 slots"),
        ({"positions": [2]}, r"slots.positions: an item is pinned at 2"),
        ({"share": 0.1, "pool": {"category": "Z"}}, r"slots.pool.category: no item has the category 'Z'"),
    ],
)
def test_random_slots_that_cannot_be_are_refused_with_their_place(slots, message):
    rules = rules_of({"pin": {"item": "i1", "position": 2}})
    with pytest.raises(ConfigError, match=message):
        ruled(ByNumber(), rules, RandomSlots.model_validate(slots), ABC, 6)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (Rule, {}, "a rule is one of"),
        (Rule, {"pin": {"item": 1, "position": 1}, "boost": {"category": "A", "by": 1}}, "found pin and boost"),
        (Rule, {"exclude": {}}, "either `category` or `items`"),
        (Rule, {"cap": {"at_most": 1}}, "either `per: category`"),
        (Rule, {"boost": {"category": "A", "by": 0}}, "expected places"),
        (RandomSlots, {"share": 0.1, "positions": [1]}, "either `share` or `positions`"),
    ],
)
def test_a_rule_says_what_it_lacks(kind, content, message):
    with pytest.raises(ValueError, match=message):
        kind.model_validate(content)


def test_an_item_may_be_named_by_a_number():
    assert Rule.model_validate({"pin": {"item": 42, "position": 1}}).pin.item == "42"


def test_a_recommender_that_takes_its_time_is_not_asked_at_once():
    recommender = ruled(ForWaiting(), rules_of({"exclude": {"category": "A"}}), None, ABC, 4)
    with pytest.raises(TypeError, match="ForWaiting takes its time"):
        recommender.recommend(request_for(np.zeros(N_ITEMS), 2))


class TestRuled(RecommenderContract):
    def build(self):
        rules = rules_of({"pin": {"item": "i3", "position": 2}}, {"cap": {"per": "category", "at_most": 4}})
        return RuledRecommender(ItemKnnRecommender(), toy_catalog(), 5, rules)


class TestRandomSlots(RecommenderContract):
    def build(self):
        return RuledRecommender(ItemKnnRecommender(), toy_catalog(), 5, (), RandomSlots(share=0.3))

"""Names in a reply become candidates, and whatever becomes none is counted."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from groundlings.recommenders.language.grounding import NEAR, ground, likeness, normal

CANDIDATES = ("Alien (1979)", "Aliens (1986)", "Amélie (2001)", "Emma (1996)", "Emma (2020)", "Große Straße")


def test_a_name_is_found_exactly_then_normalised_then_by_its_longest_common_subsequence():
    found = ground(["Aliens (1986)", "2. ALIEN, 1979", "große  strasse!", "Amélie (2011)"], CANDIDATES)
    assert found.order == (1, 0, 5, 2)
    assert (found.exact, found.normalised, found.near) == (1, 2, 1)
    assert (found.ties, found.repeated, found.hallucinated, found.missing) == (0, 0, 0, 2)


def test_a_name_without_its_year_is_found_and_never_inside_a_longer_name():
    found = ground(["Alien", "Alien and the Aliens"], CANDIDATES)
    assert found.order == (0,)
    assert (found.normalised, found.hallucinated) == (1, 1)


def test_candidates_that_fit_alike_are_taken_in_the_order_shown_and_counted_as_ties():
    found = ground(["Emma", "Emma", "Emma"], CANDIDATES)
    assert found.order == (3, 4)
    assert (found.ties, found.repeated) == (2, 1)
    told_apart = ground(["Emma (2020)", "Emma"], CANDIDATES)
    assert told_apart.order == (4, 3), "the first of the two that was not named before"


def test_what_is_no_candidate_is_hallucinated_and_what_stood_before_is_repeated():
    found = ground(["Heat (1995)", "Alien (1979)", "1. Alien (1979)", "???", " "], CANDIDATES)
    assert found.order == (0,)
    assert (found.names, found.hallucinated, found.repeated, found.missing) == (4, 2, 1, 5)


def test_titles_without_a_letter_are_found_by_their_signs_alone():
    found = ground(["!!!", "***"], ["***", "!!!", "???"])
    assert found.order == (1, 0)
    assert found.exact == 2


@given(st.lists(st.text(max_size=12), unique=True, max_size=8), st.lists(st.text(max_size=12), max_size=12))
def test_every_name_is_counted_once_and_no_candidate_is_named_twice(candidates, names):
    found = ground(names, candidates)
    assert len(set(found.order)) == len(found.order) == found.exact + found.normalised + found.near
    assert found.names == sum(bool(name.strip()) for name in names)
    assert found.missing == len(candidates) - len(found.order) >= 0


@given(st.text("abcü ", max_size=30), st.text("abcü ", max_size=30))
def test_the_length_in_bits_is_that_of_the_textbook(one, other):
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            rows[i + 1][j + 1] = rows[i][j] + 1 if left == right else max(rows[i][j + 1], rows[i + 1][j])
    longer = max(len(one), len(other))
    short = not one or not other or min(len(one), len(other)) < 0.9 * longer
    assert likeness(one, other) == (0.0 if short else rows[-1][-1] / longer)


@given(st.lists(st.text(min_size=1, max_size=12).filter(normal), unique_by=normal, min_size=1, max_size=8))
def test_the_candidates_themselves_in_any_order_are_all_found(candidates):
    found = ground(candidates[::-1], candidates)
    assert found.order == tuple(range(len(candidates)))[::-1]


@given(st.lists(st.text("ab", min_size=9, max_size=12), min_size=1, max_size=5), st.text("ab", min_size=9, max_size=12))
def test_a_near_name_means_one_of_the_likest_candidates_whatever_their_lengths(candidates, name):
    assume(name not in candidates)
    likest = max(likeness(name, each) for each in candidates)
    found = ground([name], candidates)
    assert found.near == (likest >= NEAR)
    assert [likeness(name, candidates[place]) for place in found.order] == [likest] * found.near
    assert ground([name, name], candidates).hallucinated == 2 * found.hallucinated

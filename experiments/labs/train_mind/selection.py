"""Which moments are learned from (`examples.choose`): all that are drawn, the hard ones, or diverse ones.

    all       so many moments as `examples.scenes` says; nothing is chosen, nothing is left out
    hard      of `examples.candidates` times as many: those whose choices a choice model of two cheap scores finds the
              least likely (`difficulties`)
    diverse   of as many: one after the other the scene whose items and person are the rarest among those taken so far
              (`cover`)

The last two leave out *repeats*, scenes of a person and moment that another one is of: of these a prompt says the same
of the person, and most real items are the same. Nothing here reads a title or a genre, and nobody but people of the
fitting third is counted in the choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.list_features import LATEST
from groundlings.experiments.labs.fidelity.scenes import FEWEST_BEFORE, Moments, Scenes, is_first, rows_before
from groundlings.experiments.labs.ties.choice import choice_weights
from groundlings.experiments.labs.train_mind.config import ExamplesConfig
from groundlings.personas.taste.co_occurrence import histories


@dataclass(frozen=True, slots=True)
class Selection:
    """What was taken of the scenes that were drawn.

    Attributes:
        choose: How; see the module.
        drawn, repeated, taken: Scenes; those of a moment that another one is of; and those that are learned from.
        items: Different items that the taken ones ask about.
        difficulty_drawn, difficulty_taken: Mean of `difficulties`, in nats; None where there is no scene.
    """

    choose: str
    drawn: int
    repeated: int
    taken: int
    items: int
    difficulty_drawn: float | None
    difficulty_taken: float | None


def moments_to_learn(
    statistics: Interactions, fitting: BoolArray, options: ExamplesConfig, chance: np.random.Generator
) -> Moments:
    """Moments of the fitting third after enough rows, everybody's first before anybody's second.

    Args:
        statistics: The rows that moments are taken from.
        fitting: Whether a user is of that third, shape (n_users,).
        options: How many moments of whom.
        chance: Random numbers.
    """
    most = options.drawn
    rows = np.flatnonzero(fitting[statistics.users])
    rows = rows[is_first(statistics, statistics.take(rows))]
    rows = rows[chance.permutation(len(rows))]
    order = np.argsort(statistics.users[rows], kind="stable")
    rows, users = rows[order], statistics.users[rows][order]
    # The first moments of everybody come before the second of anybody.
    turn = np.arange(len(rows)) - np.searchsorted(users, users)
    rows = rows[turn < 3 * options.per_person]
    turn = turn[turn < 3 * options.per_person]
    rows = rows[np.lexsort((chance.random(len(rows)), turn))][: 3 * most]
    moments = Moments(statistics.users[rows], statistics.items[rows].astype(np.int64), statistics.timestamps[rows])
    before = rows_before(statistics, moments)
    enough = [number for number, own in enumerate(before) if len(own) >= FEWEST_BEFORE]
    users = moments.users[enough]
    place: dict[int, int] = {}
    kept = []
    for number, user in zip(enough, users.tolist(), strict=True):
        place[user] = place.get(user, 0) + 1
        if place[user] <= options.per_person:
            kept.append(number)
    some = np.array(kept[:most], dtype=np.int64)
    return Moments(moments.users[some], moments.items[some], moments.times[some])


def select(scenes: Scenes, options: ExamplesConfig, statistics: Interactions) -> tuple[Scenes, Selection]:
    """The scenes to learn from, in the order in which they were drawn, and what was taken of how many.

    Args:
        scenes: Those that were drawn.
        options: How many, and how they are chosen.
        statistics: The rows that cheap scores are counted on.
    """
    repeats, hard = repeated(scenes), difficulties(scenes, statistics)
    taken = np.arange(len(scenes))
    if options.choose != "all":
        fresh = np.flatnonzero(~repeats)
        if options.choose == "hard":
            taken = fresh[np.argsort(-hard[fresh], kind="stable")[: options.scenes]]
        else:
            taken = fresh[cover(some_scenes(scenes, fresh), options.scenes)]
        taken = np.sort(taken)
    chosen = some_scenes(scenes, taken)
    return chosen, Selection(
        choose=options.choose,
        drawn=len(scenes),
        repeated=int(repeats.sum()),
        taken=len(chosen),
        items=len(np.unique(chosen.lists.items[chosen.lists.listed])),
        difficulty_drawn=float(hard.mean()) if len(hard) else None,
        difficulty_taken=float(hard[taken].mean()) if len(taken) else None,
    )


def some_scenes(scenes: Scenes, kept: IntArray) -> Scenes:
    """Some of the scenes, by number, ascending, with their histories."""
    lists, rows = scenes.lists, scenes.histories
    own = rows.take(np.isin(rows.users, kept))
    return Scenes(
        scenes.users[kept],
        replace(lists, users=np.arange(len(kept)), items=lists.items[kept], positive=lists.positive[kept]),
        replace(own, users=np.searchsorted(kept, own.users), n_users=len(kept)),
    )


def repeated(scenes: Scenes) -> BoolArray:
    """Whether an earlier scene is of the same person and moment, shape (n,); the same rows lie before both."""
    known = np.bincount(scenes.histories.users, minlength=len(scenes))
    first = np.unique(np.stack([scenes.users, known], axis=1), axis=0, return_index=True)[1]
    found = np.ones(len(scenes), dtype=np.bool_)
    found[first] = False
    return found


def difficulties(scenes: Scenes, statistics: Interactions) -> FloatArray:
    """How unlikely the choices of each scene are by two cheap scores, in nats, shape (n,).

    The scores are those of `cheap_scores`. A choice model of both, fitted on all pairs of a real item and another of
    these scenes, each scene counting once, gives each real item a share among itself and the others of its scene; the
    mean of minus its log is the difficulty: `choice_weight`'s loss, with the cheap model in the language model's place.
    It is high where the cheap model is undecided, and higher where it is wrong.
    """
    scores, real, listed = cheap_scores(scenes, statistics), scenes.lists.positive, scenes.lists.listed
    owners: list[IntArray] = []
    differences: list[FloatArray] = []
    for number in range(len(scenes)):
        met, unmet = scores[number][real[number]], scores[number][listed[number] & ~real[number]]
        differences.append((met[:, None] - unmet).reshape(-1, scores.shape[2]))
        owners.append(np.full(len(differences[-1]), number))
    if not differences:
        return np.zeros(0)
    pairs = np.array([len(each) for each in owners], dtype=np.float64)
    weights = choice_weights(np.concatenate(differences), np.concatenate(owners), 1 / pairs[None])[0]
    appeal = np.where(listed, scores @ weights, -np.inf)
    others = logsumexp(np.where(real, -np.inf, appeal), axis=1, keepdims=True)
    losses = np.where(real, np.logaddexp(appeal, others) - np.where(real, appeal, 0), 0)
    return np.asarray(losses.sum(axis=1) / real.sum(axis=1))


def cheap_scores(scenes: Scenes, statistics: Interactions) -> FloatArray:
    """Popularity and item kNN on the latest items, counted without the person's own row, shape (n, width, 2).

    With it a real item would score higher because it is real. Popularity is log(1 + people); item kNN is the sum of
    cosines with the latest `LATEST` items of the history. Both are 0 where there is no item.
    """
    takers, counts = sp.csr_array(statistics.matrix.T), statistics.item_counts
    users, items, age = histories(scenes.histories)
    edges = np.searchsorted(users, np.arange(len(scenes) + 1))
    scores = np.zeros((*scenes.lists.items.shape, 2))
    for number, listed in enumerate(scenes.lists.listed):
        asked, part = scenes.lists.items[number][listed], slice(edges[number], edges[number + 1])
        latest = items[part][age[part] < LATEST]
        own = np.zeros(statistics.n_items)
        own[statistics.matrix[[scenes.users[number]]].indices] = 1
        overlap = (takers[asked] @ takers[latest].T).toarray() - np.outer(own[asked], own[latest])
        people = counts - own
        lengths = np.sqrt(np.outer(people[asked], people[latest]))
        scores[number, listed, 0] = np.log1p(people[asked])
        scores[number, listed, 1] = (overlap / np.maximum(lengths, 1)).sum(axis=1)
    return scores


def cover(scenes: Scenes, size: int) -> IntArray:
    """Scenes that differ in items and people, by number, at most `size`.

    An item or a person that m of the taken scenes have counts 1/(1 + m). The next one taken is the scene with the
    highest mean over its items and its person, the first of equals: the greedy way to the highest sum of harmonic
    numbers, per item because a scene takes tokens for each.
    """
    listed, n_scenes = scenes.lists.listed, len(scenes)
    people, person = np.unique(scenes.users, return_inverse=True)
    items, item = np.unique(scenes.lists.items[listed], return_inverse=True)
    rows = np.concatenate([np.nonzero(listed)[0], np.arange(n_scenes)])
    columns = np.concatenate([item, len(items) + person])
    ones = np.ones(len(rows))
    has = sp.csr_array((ones, (rows, columns)), shape=(n_scenes, len(items) + len(people)))
    size_of = listed.sum(axis=1) + 1
    times = np.zeros(has.shape[1])
    left = np.ones(n_scenes, dtype=np.bool_)
    taken = []
    for _ in range(min(size, n_scenes)):
        gains = np.where(left, (has @ (1 / (1 + times))) / size_of, -np.inf)
        best = int(np.argmax(gains))
        taken.append(best)
        left[best] = False
        times[has.indices[has.indptr[best] : has.indptr[best + 1]]] += 1
    return np.array(taken, dtype=np.int64)

"""Trained policies as arms: each page is the answer of a policy to what a recommender may know of the session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.paths import NamedPath
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender, fitted
from groundlings.recommenders.policies.observation import SessionSoFar, observe
from groundlings.recommenders.policies.pages import (
    ActionKind,
    checked_actions,
    free_candidates,
    items_at,
    named_places,
    nearest_places,
)
from groundlings.recommenders.policies.vectors import SessionVectors
from groundlings.recommenders.wrapping import OuterRecommender

Act: TypeAlias = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Observations in, shape (n, `observation_length`); out the action of each row."""

_PAGE_BY_PAGE = (
    "; a policy chooses page by page, so write site.rank_each: page, and site.page_size as it was trained for"
)

Algorithm = Literal["A2C", "ARS", "CrossQ", "DDPG", "DQN", "MaskablePPO", "PPO", "SAC", "TD3", "TQC", "TRPO"]
"""Classes of stable-baselines3 and sb3-contrib whose policies remember nothing from page to page."""


class ActingRecommender(OuterRecommender, Recommender):
    """Asks a policy for every page, and fills it with candidates of another recommender.

    The site must ask for each page (`site.rank_each: page`). Vectors of items are those of the first fit, because the
    policy has learnt what they mean; users' histories and candidates follow every fit.

    Args:
        act: The policy.
        retriever: Makes the candidate sets.
        action: What the policy answers with; see `groundlings.recommenders.policies.pages`.
        candidates: Items of a candidate set at most.
        width: Numbers of an item's vector.
    """

    def __init__(
        self, act: Act, retriever: Recommender, *, action: ActionKind = "slate", candidates: int = 100, width: int = 16
    ) -> None:
        super().__init__(retriever)
        self.act, self.retriever = act, retriever
        self.action, self.candidates, self.width = action, candidates, width
        self._vectors: SessionVectors | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the retriever, and see what users did; the policy itself learns nothing here."""
        super().fit(interactions, catalog)
        if self._vectors is None:
            self._vectors = SessionVectors.fit(interactions, self.width)
        else:
            self._vectors = self._vectors.of_history(interactions)

    def recommend(self, request: RankingRequest) -> Ranking:
        """One page per session; see `Recommender.recommend`."""
        vectors = fitted(self._vectors, self)
        earlier, candidates = self._so_far(request), self._candidate_sets(request)
        free = free_candidates(candidates, earlier.shown)
        slate = self.action == "slate"
        shape = len(request), request.size if slate else self.width
        answer = self.act(observe(vectors, earlier))
        actions = checked_actions(answer, self.action, shape, self.candidates, _PAGE_BY_PAGE if slate else "")
        if slate:
            places, _ = named_places(actions, free)
        else:
            places = nearest_places(actions, candidates, free, vectors.items, request.size)
        items = items_at(places, candidates)
        return Ranking.deterministic(items, np.full(items.shape, np.nan))

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the retriever takes, and the vectors."""
        vectors = 4 * self.width * (interactions.n_users + interactions.n_items)
        return super().memory_bytes(interactions) + vectors

    def _so_far(self, request: RankingRequest) -> SessionSoFar:
        n, nothing = len(request), request.shown is None
        items = np.full((n, request.size), NO_ITEM, dtype=np.int32) if request.shown is None else request.shown
        clicked = np.zeros(items.shape, dtype=np.bool_) if request.clicked is None else request.clicked
        return SessionSoFar(request.users, np.full(n, 0 if nothing else request.page - 1), items, clicked, request.size)

    def _candidate_sets(self, request: RankingRequest) -> ItemArray:
        """The retriever's best items, those that this session was shown included: they keep their places."""
        before = request.seen if request.shown is None else _without(request.seen, request.shown)
        asked = replace(request, size=self.candidates, seen=before, page=1, shown=None, clicked=None)
        found = self.retriever.recommend(asked).items
        missing = self.candidates - found.shape[1]
        return np.pad(found, ((0, 0), (0, missing)), constant_values=NO_ITEM) if missing else found


class PolicyRecommender(ActingRecommender):
    """A policy that stable-baselines3 or sb3-contrib has saved chooses each page; it does not learn in the run.

    Needs `pip install 'groundlings[rl]'`. Such a file holds pickled objects, and reading it can run code: name none
    that you do not trust.

    Args:
        policy: The saved file, relative to the experiment file.
        retriever: Makes the candidate sets, as it did in training.
        algorithm: The class that saved it.
        action: `slate` or `embedding`, as in training.
        candidates: As in training.
        width: As in training.
        base_directory: Where a relative path starts.
    """

    def __init__(
        self,
        policy: NamedPath,
        retriever: Recommender,
        *,
        base_directory: Path,
        algorithm: Algorithm = "PPO",
        action: ActionKind = "slate",
        candidates: Annotated[int, Field(ge=1, le=1_000_000)] = 100,
        width: Annotated[int, Field(ge=1, le=4_096)] = 16,
    ) -> None:
        self.path = base_directory / policy
        super().__init__(_saved(self.path, algorithm), retriever, action=action, candidates=candidates, width=width)
        self._content = hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def state(self) -> str:
        """See `AsyncRecommender.state`."""
        return f"{self._content}-{super().state()}"


def _saved(path: Path, algorithm: Algorithm) -> Act:
    """The policy of a file, which takes the likeliest action."""
    try:
        import stable_baselines3
    except ImportError:
        raise ConfigError("policy: stable-baselines3 is not installed; pip install 'groundlings[rl]'") from None
    if hasattr(stable_baselines3, algorithm):
        kind = getattr(stable_baselines3, algorithm)
    else:
        try:
            import sb3_contrib
        except ImportError:
            raise ConfigError(f"policy: {algorithm} needs sb3-contrib; pip install sb3-contrib") from None
        kind = getattr(sb3_contrib, algorithm)
    try:
        model = kind.load(path, device="cpu")
    except Exception as error:
        raise ConfigError(
            f"policy: {shown(str(path))} cannot be read as a saved {algorithm} ({type(error).__name__}: {error}); "
            "expected the file that model.save(...) wrote, and the algorithm that it is of"
        ) from None

    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        actions: NDArray[Any] = model.predict(observations, deterministic=True)[0]
        return actions

    return act


def _without(seen: sp.csr_array, shown_items: ItemArray) -> sp.csr_array:
    """What a session had seen before it began, shape as `seen`."""
    rows, places = np.nonzero(shown_items != NO_ITEM)
    n_items = seen.shape[1]
    shown_keys = rows * n_items + shown_items[rows, places]
    of_rows = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    kept = ~np.isin(of_rows * n_items + seen.indices, shown_keys)
    counts = np.bincount(of_rows[kept], minlength=seen.shape[0])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_array((seen.data[kept], seen.indices[kept], indptr), shape=seen.shape)

"""The paradigm of each shipped recommender."""

from __future__ import annotations

from collections.abc import Mapping

PARADIGMS: Mapping[str, tuple[str, ...]] = {
    "not personal": ("popular", "group_popular", "item_mean", "random_order"),
    "collaborative filtering": ("item_knn", "liked_knn", "als", "bias_svd", "bpr", "ease"),
    "content": ("content_knn", "feature_regression", "text_embedding", "text_graph"),
    "search": ("bm25", "text_search"),
    "the user's own past": ("buy_again",),
    "sequential": ("sasrec", "bert4rec"),
    "bandit": ("contextual_bandit",),
    "reinforcement learning": ("policy",),
    "language model as ranker": ("llm_ranker",),
    "generative": ("semantic_ids", "title_generation"),
    "agents of language models": ("agentcf", "billp", "interec_agent", "macrec", "puma", "rah", "recmind"),
    "conversation": ("chat", "chat_http", "llm_chat"),
    "around another recommender": (
        "blend",
        "degraded",
        "epsilon_slots",
        "feed_and_search",
        "mmr",
        "plackett_luce",
        "presenter",
        "ruled",
    ),
    "lists from elsewhere": ("external",),
    "bound": ("oracle", "anti_oracle"),
}
"""Paradigm -> its recommenders."""

OWN = "own"
"""The paradigm of a recommender that is not shipped."""

_OF = {name: paradigm for paradigm, names in PARADIGMS.items() for name in names}


def paradigm_of(recommender: str) -> str:
    """The paradigm of a recommender, by its name in the experiment file."""
    return _OF.get(recommender, OWN)

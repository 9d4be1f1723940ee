"""How each recommender works, in half a line that needs no knowledge of recommenders; it follows the arm's name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from groundlings.environments.cleaning import printable
from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.recommenders.interleaving import TEAM_DRAFT
from groundlings.recommenders.registry import SHIPPED, find_recommender

IN_WORDS: Mapping[str, str] = {
    "agentcf": "a language model ranks by notes that user agents and item agents wrote about each other",
    "als": "learns each user's tastes from who chose what (matrix factorisation)",
    "anti_oracle": "shows what each simulated user secretly likes least",
    "bert4rec": "a neural network fills in what is missing at the end of the user's history",
    "bias_svd": "predicts how each user would rate each item (matrix factorisation)",
    "billp": "a language model plans for the long run, then ranks another recommender's first items",
    "blend": "joins the lists of several recommenders",
    "bm25": "shows the items that have the words of the query, rare words first",
    "bpr": "learns to rank what users chose above the rest (matrix factorisation)",
    "buy_again": "shows what the user chose before, the most regular first",
    "content_knn": "gives items that nobody chose yet the scores of the items most like them",
    "chat": "names items by what users say that they look for, until one suits",
    "chat_http": "a conversing recommender on a server of its own",
    "contextual_bandit": "learns from its own impressions what is clicked, and explores what it does not know",
    "degraded": "another recommender with some slots filled at random",
    "ease": "learns which items are chosen together (a linear model)",
    "epsilon_slots": "another recommender, each slot filled at random with a fixed probability",
    "external": "reads finished lists from a file",
    "feature_regression": "predicts ratings from what is known of users and items",
    "feed_and_search": "one recommender for the feed, another one for the results of a query",
    "group_popular": "shows what the user's demographic group chooses most",
    "interec_agent": "a language model plans how tools narrow and order the items, and a critic looks at it",
    "item_knn": "shows items that were chosen by the same users as those in the user's history",
    "item_mean": "shows the best rated items, in one order for all; what a user knows may be left out",
    "liked_knn": "shows items that were liked by the same users as those that the user liked",
    "llm_chat": "a language model asks, or suggests one of another recommender's items, until one suits",
    "llm_ranker": "a language model ranks another recommender's first items by the user's history",
    "macrec": "agents of a language model find things out, then rank another recommender's first items",
    "mmr": "another recommender, its list spread over categories",
    "oracle": "shows what each simulated user secretly likes most",
    "plackett_luce": "another recommender, its list drawn by chance, better items more often",
    "policy": "a policy trained by reinforcement learning chooses each page",
    "popular": "shows what most users chose, in one order for all; what a user knows may be left out",
    "presenter": "another recommender, each item shown by the facts that fit the user best",
    "puma": "a language model searches, or recommends by what it names of the user's history",
    "rah": "another recommender, without what an assistant predicts the user to dislike",
    "random_order": "shows items in random order",
    "recmind": "a language model looks things up, then ranks another recommender's first items",
    "ruled": "another recommender under business rules (pinned, left out, capped, moved up)",
    "sasrec": "a neural network tells the next item from the order of the user's history",
    "semantic_ids": "a neural network writes the codes of the next item, which its texts decide",
    "text_embedding": "learns each user's tastes from who chose what, and of new items from their texts",
    "text_graph": "a network brings users near to the texts of what they and others like them chose",
    "text_search": "shows the items whose words go with those of the query (vectors of texts)",
    "title_generation": "a language model writes titles of the next item, and the nearest items are listed",
}
"""Name of each shipped recommender -> what it does."""

_LONGEST = 120


def in_words(spec: str) -> str:
    """How a shipped recommender works; "" for any other one: whoever reads a run need not have its code."""
    return IN_WORDS.get(spec, "")


def own_words(spec: str) -> str:
    """How a recommender works that is not shipped: the first sentence of its documentation, "" without any.

    It imports what the name stands for, so it is asked by the run that has imported it before, and by nobody else.
    """
    if spec in SHIPPED or spec == TEAM_DRAFT or spec.startswith(PYTHON_OBJECT):
        return ""
    found = inspect.cleandoc(find_recommender(spec).__doc__ or "")
    sentence = " ".join(found.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    return printable(sentence)[:_LONGEST]

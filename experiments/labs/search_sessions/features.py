"""What is known of a result and of a page before the person acts: texts, the session so far, and what others did.

Texts are compared by pairs of neighbouring characters inside words, which needs no knowledge of the language. What
others did is counted over the people of the training part, without the person concerned, so that a row never holds its
own outcome. The session so far is the real one: each page is predicted from what really stands before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from scipy.special import logit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.labs.search_sessions.log import SearchLog

PRIOR = 2.0
"""Results at the overall click rate that every document is given."""

RESULT_FEATURES = (
    "query_in_title", "query_in_snippet", "rare_in_title", "rare_in_snippet", "title_length", "snippet_length",
    "title_beside_others", "met_before", "clicked_before", "title_like_clicked", "number", "clicks_before", "results",
)  # fmt: skip
"""Features of a result, in the order of the columns."""

OTHERS_OF_RESULT = ("others_click", "others_saw")
"""What others did with a result."""

PAGE_FEATURES = (
    "number", "first", "clicks", "any_click", "lowest_click", "clicks_before", "results", "query_length", "query_new",
)  # fmt: skip
"""Features of a page when the person may stop, in the order of the columns."""

OTHERS_OF_PAGE = ("others_stop", "others_pages", "need_covered", "documents_covered")
"""What others did in the same task."""


def pieces(text: str) -> frozenset[str]:
    """Pairs of neighbouring characters of a text's words, lower case; a word of one letter is a piece itself."""
    words = "".join(each if each.isalnum() else " " for each in text.lower()).split()
    return frozenset(word[at : at + 2] for word in words for at in range(max(len(word) - 1, 1)))


class Texts:
    """The pieces of all texts of a log, cut once."""

    def __init__(self, log: SearchLog) -> None:
        self.queries = [pieces(page.query) for page in log.pages]
        self.titles = [[pieces(title) for title, _ in page.results] for page in log.pages]
        self.snippets = [[pieces(snippet) for _, snippet in page.results] for page in log.pages]
        counts = Counter(piece for page in self.titles for title in page for piece in title)
        n_titles = sum(map(len, self.titles))
        self._rarity = {piece: float(np.log(n_titles / count)) for piece, count in counts.items()}
        self._unknown = float(np.log(n_titles + 1))

    def share(self, wanted: Iterable[str], text: frozenset[str]) -> float:
        """Share of the wanted pieces that a text has; 0 if none is wanted."""
        wanted = [*wanted]
        return sum(piece in text for piece in wanted) / max(len(wanted), 1)

    def rare_share(self, wanted: Iterable[str], text: frozenset[str]) -> float:
        """The same, each piece counted by how rare it is among titles."""
        weights = {piece: self._rarity.get(piece, self._unknown) for piece in wanted}
        return sum(weights[piece] for piece in weights if piece in text) / max(sum(weights.values()), 1e-9)


def result_features(log: SearchLog, texts: Texts) -> FloatArray:
    """`RESULT_FEATURES` of every result on its page, 0 at empty slots, shape (n_pages, depth, n_features)."""
    found = np.zeros((*log.documents.shape, len(RESULT_FEATURES)))
    for row, page in enumerate(log.pages):
        before = np.arange(row - log.number[row], row)
        met = {*log.documents[before].ravel().tolist()}
        opened = {*log.documents[before][log.clicks[before]].tolist()}
        read = _union(texts.titles[each][rank] for each in before for rank in np.flatnonzero(log.clicks[each]))
        query, titles, snippets = texts.queries[row], texts.titles[row], texts.snippets[row]
        in_title = [texts.share(query, title) for title in titles]
        for rank, (title, snippet) in enumerate(page.results):
            document = int(log.documents[row, rank])
            found[row, rank] = (
                in_title[rank],
                texts.share(query, snippets[rank]),
                texts.rare_share(query, titles[rank]),
                texts.rare_share(query, snippets[rank]),
                np.log1p(len(title)),
                np.log1p(len(snippet)),
                in_title[rank] - np.mean(in_title),
                document in met,
                document in opened,
                texts.share(titles[rank], read),
                log.number[row],
                np.log1p(log.clicks[before].sum()),
                len(page.results),
            )
    return found


def others_of_results(log: SearchLog, training: BoolArray) -> FloatArray:
    """`OTHERS_OF_RESULT`: log-odds of a click on the document, and log(1 + how often it was seen), by others.

    Args:
        log: All pages.
        training: Pages that count, shape (n_pages,).

    Returns:
        Shape (n_pages, depth, 2), 0 at empty slots.
    """
    overall = float(log.clicks[training].sum() / max(log.shown[training].sum(), 1))
    seen, clicked = _by_person(log, log.shown & training[:, None]), _by_person(log, log.clicks & training[:, None])
    share = (clicked + PRIOR * overall) / (seen + PRIOR)
    odds = logit(np.clip(share, 1e-3, 1 - 1e-3))  # a log without a click, or without anything else, has no odds
    return np.where(log.shown[:, :, None], np.stack([odds, np.log1p(seen)], axis=2), 0.0)


def _by_person(log: SearchLog, happened: BoolArray) -> FloatArray:
    """How often it happened to each slot's document on pages of other people, shape (n_pages, depth)."""
    n_documents = int(log.documents.max()) + 1
    everybody = np.bincount(log.documents[happened], minlength=n_documents)
    pair = log.people[:, None] * n_documents + np.maximum(log.documents, 0)
    own, counts = np.unique(pair[happened], return_counts=True)
    place = np.minimum(np.searchsorted(own, pair), max(len(own) - 1, 0))
    mine = np.where(own[place] == pair, counts[place], 0) if len(own) else np.zeros(pair.shape)
    return np.where(log.shown, everybody[np.maximum(log.documents, 0)] - mine, 0).astype(np.float64)


def page_features(log: SearchLog, texts: Texts) -> FloatArray:
    """`PAGE_FEATURES` of every page once its clicks are made, shape (n_pages, n_features)."""
    found = np.zeros((len(log), len(PAGE_FEATURES)))
    n_clicks = log.clicks.sum(axis=1)
    lowest = log.result_pages().last_click() + 1
    for row, page in enumerate(log.pages):
        start = row - int(log.number[row])
        found[row] = (
            np.log1p(log.number[row]),
            log.number[row] == 0,
            n_clicks[row],
            n_clicks[row] > 0,
            lowest[row],
            np.log1p(n_clicks[start:row].sum()),
            len(page.results),
            np.log1p(len(page.query)),
            1 - texts.share(texts.queries[row], _union(texts.queries[start:row])),
        )
    return found


def others_of_pages(log: SearchLog, texts: Texts, training: BoolArray) -> FloatArray:
    """`OTHERS_OF_PAGE` of every page, shape (n_pages, 4); `training` as in `others_of_results`."""
    found = np.zeros((len(log), len(OTHERS_OF_PAGE)))
    for row in range(len(log)):
        session = slice(row - int(log.number[row]), row + 1)
        others = training & (log.tasks == log.tasks[row]) & (log.people != log.people[row])
        opened = log.documents[session][log.clicks[session]]
        found[row] = (
            _others_stop(log, others, int(log.number[row])),
            _others_pages(log, others, training),
            _need_covered(texts, others, _union(texts.queries[session])),
            _documents_covered(log, others, opened),
        )
    return found


def _others_stop(log: SearchLog, others: BoolArray, number: int) -> float:
    """Share of others' pages of the same number and task that were the last, drawn towards a half."""
    there = others & (log.number == number)
    return float((log.last[there].sum() + 1) / (there.sum() + 2))


def _others_pages(log: SearchLog, others: BoolArray, training: BoolArray) -> float:
    """Others' pages per session of the same task; of any task where nobody else had it."""
    whose = others if others.any() else training
    return float(whose.sum() / max(log.last[whose].sum(), 1))


def _need_covered(texts: Texts, others: BoolArray, asked: frozenset[str]) -> float:
    """Share of what others asked for in the same task, by pieces of queries, that this session has asked for too."""
    wanted = Counter(piece for row in np.flatnonzero(others) for piece in texts.queries[row])
    return sum(count for piece, count in wanted.items() if piece in asked) / max(sum(wanted.values()), 1)


def _documents_covered(log: SearchLog, others: BoolArray, opened: IntArray) -> float:
    """Share of what others opened in the same task that this session has opened too."""
    wanted = log.documents[others][log.clicks[others]]
    return float(np.isin(wanted, opened).mean()) if len(wanted) else 0.0


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)

"""Words that people write into headers, by what the column then holds; of whatever field, as they are found."""

from __future__ import annotations

import re
from typing import Final, Literal

Role = Literal[
    "user", "item", "timestamp", "rating", "kind", "weight", "id", "title", "year", "genres", "text", "cost"
]  # fmt: skip

WORDS: Final[dict[Role, tuple[str, ...]]] = {
    "user": (
        "user", "customer", "client", "member", "person", "people", "visitor", "account", "buyer", "reader", "listener",
        "reviewer", "player", "viewer", "shopper", "household", "subscriber", "patient", "student", "profile", "uid",
        "userid", "kunde", "nutzer", "cliente", "utilisateur",
    ),
    "item": (
        "item", "product", "sku", "article", "asin", "isbn", "book", "song", "track", "artist", "album", "movie",
        "film", "video", "game", "show", "recipe", "course", "job", "news", "listing", "offer", "place", "business",
        "iid", "itemid", "stock", "artikel", "produkt", "producto", "produit",
    ),
    "timestamp": (
        "timestamp", "time", "date", "datetime", "when", "ts", "at", "day", "created", "unix", "utc", "datum", "zeit",
        "fecha", "heure", "dt", "dat",
    ),
    "rating": ("rating", "stars", "star", "score", "grade", "overall", "rate", "vote", "bewertung", "note"),
    "kind": ("event", "action", "type", "kind", "behavior", "behaviour", "activity", "interaction"),
    "weight": (
        "quantity", "qty", "count", "plays", "playcount", "amount", "units", "duration", "dwell", "minutes", "listens",
        "weight", "number", "frequency", "clicks", "times", "menge",
    ),
    "title": ("title", "name", "label", "headline", "titel", "description", "desc", "nombre", "titre"),
    "year": ("year", "released", "release", "published", "publication", "jahr", "made"),
    "genres": (
        "genres", "genre", "categories", "category", "tags", "tag", "department", "topics", "topic", "class", "classes",
        "section", "subject", "subjects", "kategorie", "type",
    ),
    "text": (
        "description", "text", "summary", "blurb", "overview", "abstract", "plot", "content", "synopsis", "details",
        "beschreibung",
    ),
    "cost": ("cost", "costs", "kosten", "coste", "cout"),
}  # fmt: skip
"""The nearer to the front of a role, the more often it means that."""

PASSED_OVER: Final[dict[str, tuple[str, ...]]] = {
    "a price or an amount of money": ("price", "cost", "revenue", "paid", "value", "sales", "discount", "preis"),
    "a basket, an order or a session": ("basket", "order", "session", "invoice", "transaction", "cart", "receipt"),
}
"""What a data set of one's own has no column for, and words for it."""

_OF_A_BASKET = frozenset(PASSED_OVER["a basket, an order or a session"])

_COUNTS_OF_PLAYS = frozenset({
    "plays", "playcount", "playcounts", "listens", "listencount", "scrobbles", "streams", "views", "count", "counts",
    "times", "frequency",
})  # fmt: skip
_LENGTHS = frozenset({"duration", "dwell", "length", "minutes", "min", "seconds", "sec", "ms", "hours", "time"})

_KIND_BEHIND = re.compile(r":(?:token|float)(?:_seq)?\Z")
"""The kind of its cells, as files of RecBole have it behind a header."""
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")


def pieces(header: str) -> tuple[str, ...]:
    """The words of a header: "movieId", "MOVIE_ID" and RecBole's "movie_id:token" are all "movie" and "id"."""
    return tuple(piece.lower() for piece in _PIECES.findall(_KIND_BEHIND.sub("", header)))


def fits_by_name(header: str, role: Role) -> float:
    """How well a header's words fit a role: 1 where nothing else is in it, 0 where none does."""
    words = [word for word in pieces(header) if word not in ("id", "ids", "no", "nr", "code", "key", "the", "of", "s")]
    known = {word for word in words if _is_known(word, role)}
    return len(known) / len(words) if words else 0.0


def _is_known(word: str, role: Role) -> bool:
    return word in WORDS[role] or word.removesuffix("s") in WORDS[role] or word.removesuffix("id") in WORDS[role]


def says_count(header: str) -> bool:
    """Whether a header says that its cells are how often something was played, and not how long."""
    words = set(pieces(header))
    return bool(words & _COUNTS_OF_PLAYS) and not words & _LENGTHS


def says_plays(header: str) -> bool:
    """Whether a header says that its cells count plays, so that each row is of the kind `play`."""
    return bool(set(pieces(header)) & {"plays", "playcount", "playcounts", "listens", "listencount", "scrobbles"})


def says_basket(header: str) -> bool:
    """Whether a header says that its cells are baskets, orders or sessions, and neither users nor items."""
    words = set(pieces(header))
    return bool(words & _OF_A_BASKET) and not any(fits_by_name(header, role) for role in ("user", "item"))


def says_id(header: str) -> bool:
    """Whether a header says that its cells are ids."""
    return any(word in ("id", "ids", "sku", "asin", "isbn", "uid", "iid", "code") for word in pieces(header)) or (
        header.lower().endswith("id")
    )

"""The results in words: the headline, claims as sentences, figures with their intervals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from groundlings.environments.words import plural
from groundlings.experiments.labs.warmup.lab import RIVALS, Findings, decides
from groundlings.experiments.labs.warmup.records import Claim, Record

MINUS = "\N{MINUS SIGN}"

NAMES = {
    "none": "no warm-up",
    "content_knn": "content kNN",
    "random_n": "random users",
    "most_active_n": "most active users",
    "filter_only": "recall alone",
    "audience": "calibrated agents",
    "audience_asked": "agents, item alone",
    "audience_pages": "agents, item on a page",
    "audience_shortlist": "agents, shortlist",
    "audience_language": "with language model",
    "content_knn_written": "content kNN, written texts",
    "audience_written": "agents, written texts",
    "oracle_n": "real first users",
    "judgement": "the judgement itself",
}
"""Arms as tables and pictures call them."""


SETTING_NAMES = {"cold": "new", "warm": "old", "cold in all": "new in all", "warm in all": "old in all"}
"""Settings of records as columns of tables and sentences call them."""


def name_of(arm: str) -> str:
    """An arm's name in tables and pictures."""
    return NAMES.get(arm, arm)


def figure(record: Record | None, decimals: int = 4) -> str:
    """The figure and its interval."""
    if record is None:
        return ""
    ends = (
        "" if record.low is None or record.high is None else f" [{record.low:.{decimals}f}, {record.high:.{decimals}f}]"
    )
    return _signed(f"{record.value:.{decimals}f}{ends}")


def headline(findings: Findings) -> str:
    """One sentence: what simulated first interactions were worth, whatever the result."""
    about = findings.about
    main = [claim for claim in findings.claims if decides(claim, about["recommender"])]
    better = [claim for claim in main if claim.what == "better"]
    beaten = [name_of(claim.against) for claim in better if claim.holds]
    unbeaten = [name_of(claim.against) for claim in better if not claim.holds]
    gap = next(claim for claim in main if claim.what == "closes half of the gap")
    kept = all(claim.holds for claim in main if claim.what == "loses nothing")
    one = about["headline"] == 1
    simulated = f"{plural(about['headline'], 'simulated interaction')} per item"
    parts = []
    if beaten:
        parts.append(f"{simulated} {'beats' if one else 'beat'} {_listed(beaten)} on new items")
    if unbeaten:
        subject = ("it" if one else "they") if beaten else simulated
        parts.append(f"{subject} {'is' if one else 'are'} not shown to beat {_listed(unbeaten)}")
    parts.append(
        "random and real first users do not clearly differ, so that there is no gap to close"
        if gap.value is None
        else f"{'it closes' if one else 'they close'} {100 * gap.value:.0f} % of the gap between random and real first "
        "users"
    )
    parts.append("old items lose nothing" if kept else "it is not shown that old items lose nothing")
    return _sentence(parts)


def claim_words(claim: Claim) -> str:
    """A claim as a sentence, with both intervals."""
    key = claim.key
    where = f"{key.metric.upper()}, {SETTING_NAMES.get(key.setting, key.setting)}; {key.recommender} {key.how}"
    if claim.what == "closes half of the gap":
        if claim.value is None:
            return f"{where}: there is no clear gap from {_gap(claim.against)}"
        known = claim.items_low is not None and claim.items_high is not None
        ends = (
            f"[{100 * (claim.items_low or 0):.0f} %, {100 * (claim.items_high or 0):.0f} %]" if known else "no interval"
        )
        return _signed(
            f"{where}: closes {100 * claim.value:.0f} % of the gap from {_gap(claim.against)}, {ends} over items"
        )
    seeds = _interval(claim.seeds_low, claim.seeds_high)
    items = _interval(claim.items_low, claim.items_high)
    text = f"{where}: {claim.value:+.4f} against {name_of(claim.against)}; {seeds} over seeds, {items} over items"
    if claim.what == "loses nothing" and claim.p is not None and claim.p_equivalence is not None:
        text += f"; p of a loss beyond the margin {claim.p:.2g}, of both tests {claim.p_equivalence:.2g}"
    return _signed(text)


def deciding(findings: Findings) -> list[Claim]:
    """The claims that were declared beforehand, in the order of the headline."""
    rank = {name: number for number, name in enumerate(RIVALS)}
    own = [claim for claim in findings.claims if decides(claim, findings.about["recommender"])]
    return sorted(own, key=lambda claim: (claim.what, rank.get(claim.against, len(rank))))


def _gap(against: str) -> str:
    bottom, _, top = against.partition(" to ")
    return f"{name_of(bottom)} to {name_of(top)}"


def _signed(text: str) -> str:
    """The text with minus signs before numbers; hyphens in names stay."""
    return re.sub(r"-(?=\d)", MINUS, text)


def _interval(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"[{low:+.4f}, {high:+.4f}]"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:]

"""The measurement in words: a few lines for the terminal, tables and what to think of them for the datasheet."""

from __future__ import annotations

from collections.abc import Sequence

from groundlings.environments.cleaning import printable
from groundlings.experiments.exports.quality.figures import Figure
from groundlings.experiments.exports.quality.marginals import CATEGORY_MIX, ITEMS, REPEATS
from groundlings.experiments.exports.quality.measuring import ArmQuality, LogQuality
from groundlings.experiments.exports.quality.privacy import FEWEST_ITEMS, Beside, Privacy
from groundlings.experiments.exports.quality.training import CUT, RECOMMENDERS, TARGET, TRIVIAL, Trained

LABELS = {"als": "ALS", "item_knn": "item kNN", "ease": "EASE", "popular": "popularity"}
"""Name of a recommender -> how a reader knows it."""


def terminal_lines(quality: LogQuality) -> list[str]:
    """Four lines for one arm, and two for each of several."""
    if len(quality.arms) == 1:
        arm = next(iter(quality.arms.values()))
        return [
            f"training   {_training_line(arm)}",
            f"told apart {_apart_line(arm)}",
            f"distances  {_distance_line(arm)}",
            f"privacy    {_privacy_line(arm)}",
        ]
    lines = []
    for name, arm in quality.arms.items():
        lines += [
            f"{printable(name)}: {_training_line(arm)}",
            f"  {_apart_line(arm)}; {_privacy_line(arm)}",
        ]
    return lines


def markdown(quality: LogQuality) -> list[str]:
    """The paragraphs and tables of the datasheet's section."""
    measured = f"{quality.agents:,} of {quality.population:,} agents" if quality.agents < quality.population else (
        f"{quality.agents:,} agents"
    )  # fmt: skip
    parts = [
        "## What it is worth",
        f"Measured on {measured}, beside {quality.real_interactions:,} real training interactions of the same people. "
        'Brackets hold 95 % intervals over users. "n/a" says that a figure cannot be measured here, and why.',
    ]
    for name, arm in quality.arms.items():
        parts += [f"### {_plain(name)}: {arm.interactions:,} synthetic interactions", *_of_arm(quality, arm)]
    return parts


def _of_arm(quality: LogQuality, arm: ArmQuality) -> list[str]:
    return [
        f"**For training.** Each recommender is trained on real rows, on these, and on both, and scored on what "
        f"{quality.scored:,} of the same people really did next (nDCG and recall at {CUT}). A ratio of "
        f'{_number(TARGET, 2)} or more is what a log to train on should reach. "Both" adds the log as users of their '
        'own; "merged" adds its rows to the same users.',
        _table(
            ("recommender", "metric", "real", "synthetic", "ratio", "both", "both - real", "merged - real"),
            [_training_row(row) for row in arm.training],
        ),
        _training_verdict(arm),
        *_told_apart(arm),
        *_distances(arm),
        *_privacy(arm.privacy),
    ]


def _told_apart(arm: ArmQuality) -> list[str]:
    apart = arm.told_apart
    what = (
        "**Told apart.** A classifier tries to tell the log from what the same users really did, by features of a "
        "user's sequence, on users it was not fitted on: AUC .5 = cannot be told apart, 1 = always."
    )
    if apart.items.value is None:
        return [f"{what} n/a: {_plain(apart.items.missing)}."]
    rows = [
        ("real against synthetic, items and their order", figure(apart.items, 2)),
        ("the same, with times and ratings", figure(apart.everything, 2)),
        ("real against real (floor)", figure(apart.floor, 2)),
        ("real against real with items dealt out anew", figure(apart.shuffled, 2)),
    ]
    return [what, _table(("sequences", "AUC"), rows)]


def _distances(arm: ArmQuality) -> list[str]:
    what = (
        "**Distances** of distributions, 0 = equal. The floor is the distance between real users and other real "
        "users; brackets hold the middle 95 % over random halves of the users."
    )
    reason = arm.distances[0].synthetic.missing
    if reason:
        return [f"{what} n/a: {_plain(reason)}."]
    rows = [(each.name, figure(each.synthetic), figure(each.floor)) for each in arm.distances]
    return [what, _table(("what", "synthetic against real", "real against real (floor)"), rows)]


def _privacy(found: Privacy) -> list[str]:
    return [
        f"**Privacy**, beside held-out behaviour of the same people, compared with {found.others:,} real training "
        "histories.",
        _table(("question", "synthetic", "real, held out"), privacy_rows(found)),
        "\n".join(f"- {line}" for line in privacy_thoughts(found)),
    ]


def _training_row(row: Trained) -> tuple[str, ...]:
    name = f"{LABELS[row.recommender]} (trivial)" if row.recommender == TRIVIAL else LABELS[row.recommender]
    return (
        name, f"{row.metric}@{CUT}", figure(row.real, 4), figure(row.synthetic, 4), figure(row.ratio, 2),
        figure(row.added, 4), figure(row.gain, 4), figure(row.merged_gain, 4),
    )  # fmt: skip


def _training_verdict(arm: ArmQuality) -> str:
    """Whether the log may be trained on, in a sentence per question."""
    rows = [arm.trained(name) for name in RECOMMENDERS]
    known = [row for row in rows if row.ratio.value is not None]
    if not known:
        return f"n/a: {rows[0].ratio.missing}."
    short = [LABELS[row.recommender] for row in known if (row.ratio.value or 0) < TARGET]
    target = f"{_number(TARGET, 2)} of the real figure"
    alone = f"Trained on this log alone, every recommender reaches {target}."
    if short:
        stay = "stays" if len(short) == 1 else "stay"
        alone = f"Trained on this log alone, {together(short)} {stay} below {target}: do not train on it alone."
    worse = [LABELS[row.recommender] for row in known if row.gain.high is not None and row.gain.high < 0]
    merged = [LABELS[row.recommender] for row in known if row.merged_gain.high is not None and row.merged_gain.high < 0]
    beside = f"Added to real rows as users of their own it makes {together(worse) or 'no recommender'} worse"
    same = f"; added to the rows of the same users, {together(merged) or 'none'}."
    return f"{alone} {beside}{same}"


def privacy_rows(found: Privacy) -> list[tuple[str, ...]]:
    """What is asked, the log's figure, and that of held-out behaviour."""

    def row(name: str, each: Beside, decimals: int = 2) -> tuple[str, ...]:
        return name, figure(each.synthetic, decimals), figure(each.real, decimals)

    return [
        row("distance to the nearest training history, median", found.distance),
        row("share of histories as close as the closest 5 % of the held-out ones", found.close, 3),
        row("share to which no training history is nearer than the person's own", found.own, 3),
        row("membership inference, AUC", found.membership),
        row("longest run shared with a training history, in items (middle 95 %)", found.longest, 0),
        row("share with nine tenths of their items in one training history", found.contained, 3),
        row(
            f"share of copies (nine tenths in the same order, or the same set; {FEWEST_ITEMS} items or more)",
            found.copies,
            3,
        ),
    ]


def privacy_thoughts(found: Privacy) -> list[str]:
    """What a reader should think of each figure."""
    lines = [
        "The nearest history: below the real column, the log reproduces histories; about equal, it is like other "
        "behaviour of these people; above it, it is further away than real behaviour would be.",
        "The person's own: the share of people whom somebody who holds the training histories would recognise in the "
        "log without its ids. Ids that are the data set's own name them at once.",
        "Membership inference: .5 means that the log does not say whose histories made the audience; well above it, "
        "whoever knows a history can tell whether it was used.",
        "Items in one training history: short histories of what many people take stand in some long one without having "
        "been taken from it; much above the real column, the log is poorer in rare items than real behaviour.",
        "Runs and copies: real behaviour repeats others by chance, which the real column shows; only what lies above "
        "it is a sign of copying.",
    ]
    if found.alarm:
        lines.insert(
            0,
            "**ALARM: the log holds copies of training histories.** Treat it as the real data, and do not pass it on.",
        )
    return lines


def _training_line(arm: ArmQuality) -> str:
    rows = [arm.trained(name) for name in RECOMMENDERS]
    if all(row.ratio.value is None for row in rows):
        return f"n/a: {rows[0].ratio.missing}"
    parts = [f"{LABELS[row.recommender]} {_of_real(row)}" for row in rows]
    popular = arm.trained(TRIVIAL)
    gains = ", ".join(f"{LABELS[row.recommender]} {figure(row.merged_gain, 4)}" for row in rows)
    return (
        f"nDCG@{CUT} on real held-out behaviour: {'; '.join(parts)}; popularity {figure(popular.real, 4)}. "
        f"Real with synthetic rows of the same users less real: {gains}"
    )


def _of_real(row: Trained) -> str:
    if row.ratio.value is None:
        return f"n/a ({row.ratio.missing})"
    return f"{_number(row.synthetic.value, 4)} of {_number(row.real.value, 4)} (ratio {figure(row.ratio, 2)})"


def _apart_line(arm: ArmQuality) -> str:
    apart = arm.told_apart
    if apart.items.value is None:
        return f"told from real behaviour: n/a ({apart.items.missing})"
    every = "" if apart.everything.value is None else f", with times and ratings {figure(apart.everything, 2)}"
    floor = f"(real from real {figure(apart.floor, 2)})"
    return f"told from real behaviour by items: AUC {figure(apart.items, 2)}{every} {floor}"


def _distance_line(arm: ArmQuality) -> str:
    wanted = {ITEMS: "item popularity", CATEGORY_MIX: "categories", REPEATS: "repeats"}
    parts = [
        f"{wanted[each.name]} "
        + (
            "n/a"
            if each.synthetic.value is None
            else f"{_number(each.synthetic.value, 3)} (floor {_number(each.floor.value, 3)})"
        )
        for each in arm.distances
        if each.name in wanted
    ]
    reason = next((each.synthetic.missing for each in arm.distances if each.name == ITEMS), "")
    return f"n/a: {reason}" if reason else "; ".join(parts)


def _privacy_line(arm: ArmQuality) -> str:
    found = arm.privacy
    alarm = "ALARM: copies of training histories; " if found.alarm else ""
    return (
        f"{alarm}nearest training history {_beside(found.distance, 2)}; copies {_beside(found.copies, 3)}; membership "
        f"AUC {_beside(found.membership, 2)}"
    )


def _beside(found: Beside, decimals: int) -> str:
    if found.synthetic.value is None:
        return "n/a"
    return f"{_number(found.synthetic.value, decimals)} (real {_number(found.real.value, decimals)})"


def figure(found: Figure, decimals: int = 3) -> str:
    """A figure with its interval; where there is none, why."""
    if found.value is None:
        return f"n/a ({_plain(found.missing)})"
    ends = (
        ""
        if found.low is None or found.high is None
        else f" [{_number(found.low, decimals)}, {_number(found.high, decimals)}]"
    )
    return f"{_number(found.value, decimals)}{ends}"


def _number(value: float | None, decimals: int) -> str:
    """Without the zero before the point, as the tables of the documentation have it; n/a where it is unknown."""
    if value is None:
        return "n/a"
    text = f"{round(value, decimals) + 0.0:.{decimals}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def together(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _plain(text: str) -> str:
    return printable(text).replace("|", "/")

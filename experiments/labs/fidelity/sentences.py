"""Records as sentences."""

from __future__ import annotations

from groundlings.experiments.labs.fidelity.records import Record


def figure(record: Record) -> str:
    """The figure and its interval, with a fourth decimal if the figure is small."""
    if record.value is None:
        return "no value"
    decimals = 4 if 0 < abs(record.value) < 0.02 else 3
    ends = ""
    if record.low is not None and record.high is not None:
        ends = f" [{record.low:.{decimals}f}, {record.high:.{decimals}f}]"
    return f"{record.value:.{decimals}f}{ends}".replace("-", "\N{MINUS SIGN}")


def figure_and_n(record: Record, people: int | None = None) -> str:
    """The figure with what it rests on, where that is not what the head of its table says.

    Args:
        record: The figure.
        people: How many the head of the table names; None where it names nobody that figures rest on.
    """
    usual = record.unit not in ("people", "pairs") or (record.unit == "people" and record.n == people)
    one = {"people": "person", "pairs": "pair"}.get(record.unit, record.unit)
    return figure(record) + ("" if usual else f", {record.n:,} {one if record.n == 1 else record.unit}")


def reached(record: Record) -> str:
    """Whether a figure meets its target: "yes", "no", "n/a" where the figure is not known, "" without a target."""
    if record.target is None:
        return ""
    return "n/a" if record.value is None else "yes" if record.target.met else "no"


def sentence(record: Record) -> str:
    """What the record says, the verdict included."""
    head = f"{record.scorer}: {record.metric} {figure(record)}"
    parts = [head if not record.n else f"{head}, {record.n:,} {record.unit}"]
    baseline = record.baseline
    if baseline is not None:
        gap = ""
        if baseline.difference is not None and baseline.low is not None and baseline.high is not None:
            gap = f" (difference {baseline.difference:+.3f} [{baseline.low:+.3f}, {baseline.high:+.3f}])"
        parts.append(f"compared with {baseline.scorer} {baseline.value:.3f}{gap}".replace("-0", "\N{MINUS SIGN}0"))
    if record.target is not None:
        parts.append(_target(record))
    if record.source is not None:
        parts.append(f"source: {record.source}")
    if record.verdict is not None:
        parts.append(record.verdict)
    return "; ".join(parts) + "."


def target(record: Record) -> str:
    """The tolerance, "" without one."""
    wanted = record.target
    if wanted is None:
        return ""
    if wanted.low is not None and wanted.high is not None:
        return f"{wanted.low:.2f} to {wanted.high:.2f}"
    return f"\u2265 {wanted.low:.3g}" if wanted.low is not None else f"\u2264 {wanted.high:.3g}"


def _target(record: Record) -> str:
    wanted = record.target
    if wanted is None:
        return ""
    if record.value is None:
        return f"target {target(record)} not known to be met"
    said = "met, interval included" if wanted.surely else "met, interval not included" if wanted.met else "missed"
    return f"target {target(record)} {said}"

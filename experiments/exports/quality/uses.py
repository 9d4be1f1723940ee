"""What a synthetic log may be used for, in plain words: the answer of its page, and one line per use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from groundlings.experiments.exports.quality.figures import Figure
from groundlings.experiments.exports.quality.measuring import ArmQuality, LogQuality
from groundlings.experiments.exports.quality.sentences import LABELS, together
from groundlings.experiments.exports.quality.training import RECOMMENDERS, TARGET, Trained

Standing = Literal["good", "bad", "open"]

GUESSING = 0.5
"""The AUC of a coin."""


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that somebody may want to do with a log.

    Attributes:
        what: That thing.
        standing: Whether the log serves: yes, no, or nobody can say.
        why: What was found.
    """

    what: str
    standing: Standing
    why: str


def answer_of(quality: LogQuality) -> tuple[str, str]:
    """How near the log is to real rows, in a few words and a sentence."""
    arms = quality.arms
    if len(arms) == 1:
        return _answer(next(iter(arms.values())))
    fit = [name for name, arm in arms.items() if _alone(arm).standing == "good"]
    alarms = [name for name, arm in arms.items() if arm.privacy.alarm]
    said = " ".join(f"{name}: {_reached(arm)}." for name, arm in arms.items())
    if alarms:
        return f"Do not pass it on: {together(alarms)} hold copies of real histories", said
    if not fit:
        return "No arm is sure to teach what real rows teach", said
    return f"{len(fit)} of {len(arms)} arms teach what real rows teach ({together(fit)})", said


def uses_of(arm: ArmQuality) -> tuple[Use, ...]:
    """What the log of one arm can and cannot be used for."""
    return _alone(arm), _added(arm), _behaviour(arm), _passed_on(arm)


def cases(figure: Figure) -> str:
    """An AUC as a share of pairs: "83 of 100 pairs [80, 86]"."""
    if figure.value is None:
        return "n/a"
    ends = "" if figure.low is None or figure.high is None else f" [{100 * figure.low:.0f}, {100 * figure.high:.0f}]"
    return f"{100 * figure.value:.0f} of 100 pairs{ends}"


def above(figure: Figure, floor: Figure) -> bool:
    """Whether an AUC is clearly above guessing and above what the floor may be."""
    if figure.value is None or figure.low is None:
        return False
    beside = GUESSING if floor.high is None else max(GUESSING, floor.high)
    return figure.low > beside


def strongest(arm: ArmQuality) -> Figure:
    """The AUC of telling the log from real behaviour, by all there is where that is known."""
    apart = arm.told_apart
    return apart.items if apart.everything.value is None else apart.everything


def share(figure: Figure) -> str:
    """A ratio in per cent with its interval: "98 % [93 %, 103 %]"."""
    if figure.value is None:
        return f"n/a ({figure.missing})"
    ends = ""
    if figure.low is not None and figure.high is not None:
        ends = f" [{100 * figure.low:.0f} %, {100 * figure.high:.0f} %]"
    return f"{100 * figure.value:.0f} %{ends}"


def _answer(arm: ArmQuality) -> tuple[str, str]:
    alone = _alone(arm)
    if arm.privacy.alarm:
        return "Do not pass it on: it holds copies of real histories", f"{_first(_reached(arm))}."
    head = {
        "good": "Near enough to train on alone",
        "open": "Near, but not surely near enough to train on alone",
        "bad": "Not near enough to train on alone",
    }[alone.standing]
    if not _known(arm):
        head = "Not known"
    auc = strongest(arm)
    told = ""
    if auc.value is not None:
        told = f" A classifier tells it from what the same users really did in {cases(auc)}; 50 is guessing."
    return head, f"{_first(_reached(arm))}.{told}"


def _reached(arm: ArmQuality) -> str:
    """How far recommenders come that learn from the log alone."""
    known = _known(arm)
    if not known:
        return f"what recommenders learn from it is n/a ({arm.trained(RECOMMENDERS[0]).ratio.missing})"
    said = together([f"{LABELS[row.recommender]} {share(row.ratio)}" for row in known])
    return (
        f"of what real rows teach a recommender it teaches {said} (95 % intervals in brackets); the goal is "
        f"{_percent(TARGET)}"
    )


def _alone(arm: ArmQuality) -> Use:
    what = "Train a recommender on it alone"
    known = _known(arm)
    if not known:
        return Use(what, "open", f"n/a: {arm.trained(RECOMMENDERS[0]).ratio.missing}.")
    short = [LABELS[row.recommender] for row in known if (row.ratio.value or 0.0) < TARGET]
    if short:
        return Use(what, "bad", f"{together(short)} stay{'s' if len(short) == 1 else ''} below {_percent(TARGET)}.")
    unsure = [LABELS[row.recommender] for row in known if (row.ratio.low or 0.0) < TARGET]
    if unsure:
        return Use(
            what,
            "open",
            f"All reach {_percent(TARGET)}, but the interval of {together(unsure)} reaches below it.",
        )
    return Use(what, "good", f"All reach {_percent(TARGET)}, with their whole intervals.")


def _added(arm: ArmQuality) -> Use:
    """Whether it helps beside real rows of the same users."""
    what = "Add it to real rows of the same users"
    rows = [arm.trained(name) for name in RECOMMENDERS]
    known = [row for row in rows if row.merged_gain.value is not None]
    if not known:
        return Use(what, "open", f"n/a: {rows[0].merged_gain.missing}.")
    better = [LABELS[row.recommender] for row in known if (row.merged_gain.low or 0.0) > 0]
    worse = [LABELS[row.recommender] for row in known if row.merged_gain.high is not None and row.merged_gain.high < 0]
    if worse:
        return Use(what, "bad", f"It makes {together(worse)} worse.")
    if len(better) == len(known):
        return Use(what, "good", f"It makes {together(better)} better.")
    if not better:
        return Use(what, "open", "No recommender shows a clear difference.")
    return Use(what, "open", f"It makes {together(better)} better; for the others no difference is clear.")


def _behaviour(arm: ArmQuality) -> Use:
    what = "Take it for the way people behave"
    auc, floor = strongest(arm), arm.told_apart.floor
    if auc.value is None:
        return Use(what, "open", f"n/a: {auc.missing}.")
    said = f"A classifier tells it from real behaviour in {cases(auc)}, and real from real in {cases(floor)}."
    return Use(what, "bad" if above(auc, floor) else "good", said)


def _passed_on(arm: ArmQuality) -> Use:
    """No figure proves that a log gives nobody away; some prove that it does."""
    what, found = "Pass it on in place of the real data", arm.privacy
    if found.alarm:
        return Use(what, "bad", "It holds copies of real histories: treat it as the real data.")
    signs = []
    if above(found.membership.synthetic, found.membership.real):
        signs.append(f"whoever knows a history can tell whether it was used in {cases(found.membership.synthetic)}")
    if _more(found.close.synthetic, found.close.real):
        signs.append("its histories are nearer to single real ones than real behaviour is")
    if _more(found.own.synthetic, found.own.real):
        signs.append("people can be recognised in it without their ids")
    if signs:
        return Use(what, "bad", f"{_first(together(signs))}.")
    if found.membership.synthetic.value is None:
        return Use(what, "open", "No copies were found; whether it tells whose histories were used is n/a.")
    return Use(
        what,
        "open",
        f"No sign was found that it gives anybody away (whose history was used is guessed right in "
        f"{cases(found.membership.synthetic)}; 50 is guessing), which is no proof.",
    )


def _more(ours: Figure, theirs: Figure) -> bool:
    return ours.low is not None and theirs.high is not None and ours.low > theirs.high


def _known(arm: ArmQuality) -> Sequence[Trained]:
    return [row for row in (arm.trained(name) for name in RECOMMENDERS) if row.ratio.value is not None]


def _percent(value: float) -> str:
    return f"{100 * value:g} %"


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]

"""What a stranger must know of an export, as JSON for programs and Markdown for people.

The questions are a selection from Gebru et al. 2021, "Datasheets for datasets".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundlings.environments.cleaning import printable, printable_json
from groundlings.environments.words import plural
from groundlings.experiments.analysis.metrics.lost import altogether
from groundlings.experiments.config.designs import design_of
from groundlings.experiments.exports.registry import Format, Written
from groundlings.experiments.exports.source import LogSource
from groundlings.simulator.interventions import Intervention, in_words

if TYPE_CHECKING:
    from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostAfterthoughts
    from groundlings.experiments.analysis.metrics.lost_lessons import Lessons
    from groundlings.experiments.analysis.metrics.lost_replies import LostReplies
    from groundlings.experiments.analysis.metrics.model_lists import ModelLists
    from groundlings.experiments.exports.quality.measuring import LogQuality

JSON_NAME = "datasheet.json"
MARKDOWN_NAME = "DATASHEET.md"

DEFINITIONS: Mapping[str, str] = {
    "session": "one session of one simulated person under one arm; nobody comes twice on a simulated day, "
    "unless simulation.returns.sessions_per_day lets them",
    "impression": "one item in one slot of one page that was shown, whether or not anything was done with it",
    "clicked": "the person opened the item; NULL where the page is lost, because no reply came that could be read",
    "rating": "the stars given to an opened item; NULL where none were given",
    "pscore": "the probability of this item in this slot, given the ranks before it and the request",
    "display_position": "where on the page the person saw the slot, 0 is the top; other than `position` only where a "
    "language mind was shown rotated pages",
    "place_row, place_slot": "the row of the page and the slot in that row, both from 0; only where a page is more "
    "than one list",
    "mood, memory, interview": "state of a simulated person and words of a language model about itself; no feeling, "
    "thought or opinion of a real person, and none where the mind keeps none",
    "timestamp": "seconds since 1970 on the simulated clock, which stands still during a session; it begins one second "
    "after the last real interaction of the training data",
}

_ARMS: Mapping[str, str] = {
    "parallel": "one recommender with a world of its own; the same people live through every arm, so rows of two arms "
    "are two courses of the same days and never one history",
    "split": "one recommender with people of its own: each person lives in one arm, so rows of two arms are of "
    "different people",
    "interleaving": "the one arm of this log: two recommenders draft each list together, so a row is no recommender's "
    "alone",
}
"""By the kind of the design."""


_WITHOUT_TIMES: Mapping[str, str] = {
    "timestamp": "seconds on the simulated clock, which stands still during a session and starts at 1, because nobody "
    "knows when the real interactions took place; it is no date",
}


_RATINGS: Mapping[str | None, Mapping[str, str]] = {
    "rate": {},
    "like": {"rating": "1 where the person liked an opened item, 0 where they disliked it; NULL where neither"},
    None: {"rating": "NULL: the environment took neither ratings nor likes, so nothing is known of opinions"},
}
"""By the action of opinions."""


def datasheet(
    source: LogSource, chosen: Format, written: Written, quality: LogQuality | str | None = None
) -> dict[str, Any]:
    """The facts, as plain JSON values; arguments as of `write_datasheet`."""
    run, counts, lost, changes = source.run, source.counts(), source.lost(), source.interventions()
    asked: Mapping[str, Mapping[str, LostAfterthoughts | Lessons | LostReplies | ModelLists]] = {
        "afterthoughts": source.lost_afterthoughts(),
        "lessons": source.lessons(),
        "lost_replies": source.lost_replies(),
        "model_lists": source.model_lists(),
    }
    return {
        **source.provenance(),
        "warning": "Every interaction in these files was made by a simulation. None is the behaviour of a real person.",
        "format": {**chosen.facts(), "files": dict(written.rows), "notes": list(written.notes)},
        "people": {
            "mind": run["mind"],
            "model_fingerprint": run["model_fingerprint"],
            "agents": source.n_agents,
        },
        "arms": [
            {
                **{key: value for key, value in asdict(arm).items() if key != "arm_id"},
                **asdict(counts[arm.name]),
                **({"opened": None, "rated": None} if counts[arm.name].nothing_known else {}),
                "unknown": counts[arm.name].unknown,
                "lost": lost[arm.name].as_dict(),
                **{
                    name: {**found[arm.name].as_dict(), "in_words": found[arm.name].sentence()}
                    for name, found in asked.items()
                    if arm.name in found
                },
            }
            for arm in source.arms
        ],
        **({"interventions": _changed(changes)} if changes else {}),
        "lost": altogether(list(lost.values())).as_dict(),
        "site": {
            **{name: run[name] for name in ("page_size", "max_pages")},
            "like_from": run["like_from"] if source.opinion else None,
        },
        "time": {name: run[name] for name in ("started_at", "finished_at")},
        "real_times": "unknown" if _untimed(source) else "known",
        "versions": run["versions"],
        "definitions": {
            **DEFINITIONS,
            "arm": _ARMS[design_of(run["config"]).kind],
            **_RATINGS[source.opinion],
            **(_WITHOUT_TIMES if _untimed(source) else {}),
        },
        **({} if quality is None else {"quality": _told(quality)}),
        "config": run["config"],
    }


def _changed(changes: Sequence[Intervention]) -> dict[str, Any]:
    """Each change as the log has it, days from 0, and all of them in words, in which days count from 1."""
    rows = [{**asdict(change), "detail": dict(change.detail)} for change in changes]
    return {"rows": rows, "in_words": in_words(changes)}


def _told(quality: LogQuality | str) -> dict[str, Any]:
    return {"missing": quality} if isinstance(quality, str) else quality.as_dict()


def _untimed(source: LogSource) -> bool:
    """Whether the real data had no times: its configuration says so, and for a loader of one's own the manifest."""
    dataset = source.run["config"].get("dataset", {})
    own = dataset.get("own") if isinstance(dataset, Mapping) else None
    if own:
        return "timestamp" not in own["interactions"]
    told = source.manifest.get("dataset")
    return isinstance(told, Mapping) and told.get("times_known") is False


def write_datasheet(
    source: LogSource,
    chosen: Format,
    written: Written,
    directory: Path,
    quality: LogQuality | str | None = None,
) -> None:
    """Write both forms into an export, and a page on what the log is worth where that was measured.

    Args:
        source: The log.
        chosen: The format.
        written: What was written in it.
        directory: The export.
        quality: What the log is worth, or why that was not measured; None where nobody asked.
    """
    facts = datasheet(source, chosen, written, quality)
    (directory / JSON_NAME).write_text(printable_json(facts) + "\n", encoding="utf-8")
    (directory / MARKDOWN_NAME).write_text(_markdown(facts, _worth(quality)), encoding="utf-8")
    if quality is not None and not isinstance(quality, str):
        from groundlings.experiments.exports.quality.page import write_page

        write_page(quality, facts, directory)


def _worth(quality: LogQuality | str | None) -> list[str]:
    """The section on what the log is worth, [] where nobody asked."""
    if quality is None:
        return []
    if isinstance(quality, str):
        return ["## What it is worth", f"n/a: {quality}."]
    # Imported here: it loads all that a run needs.
    from groundlings.experiments.exports.quality.sentences import markdown

    return markdown(quality)


def _markdown(facts: Mapping[str, Any], worth: list[str]) -> str:
    chosen, dataset, people = facts["format"], facts["dataset"], facts["people"]
    mind = people["mind"].get("kind", "unknown")
    digest = facts["digest"] or "none: the run was not finished when it was exported"
    changed = "; ".join(facts.get("changed_since_written", ()))
    parts = [
        f"# Synthetic interactions: {_plain(facts['experiment'])}",
        f"**{facts['warning']}** Do not mix these rows with real ones without keeping the mark that tells them apart.",
        "## What made it",
        _list(
            {
                "Generator": facts["generator"],
                "Run": f"{facts['run_id']} ({facts['status']})",
                "Experiment": facts["identity"],
                "Seed": facts["seed"],
                "Configuration, SHA-256": facts["config_hash"],
                "Behaviour, SHA-256": digest,
                **({"**Changed since it was written**": _plain(changed)} if changed else {}),
                "Simulated people": f"{people['agents']}, deciding by: {mind}",
                "Language model": people["model_fingerprint"] or "none",
            }
        ),
        "## From which data",
        _list(
            {
                "Data set": dataset["name"],
                "SHA-256": dataset["hash"],
                "Source": dataset["source"],
                "Licence": dataset["licence"],
                "Times of the real interactions": facts["real_times"],
            }
        ),
        "Titles, attributes and ids come from that data, and the simulated people were measured on it: its terms may "
        "bind these files, too.",
        "## What is in it",
        f"Format: {chosen['name']} ({chosen['description']}). Rows are: {chosen['rows']}.",
        _list({f"`{name}`": plural(rows, "row") for name, rows in chosen["files"].items()}),
        _arms(facts["arms"]),
        *_changed_lines(facts),
        f"**Unknown outcomes:** {chosen['unknown']}.",
        f"**Lost pages:** {_plain(facts['lost']['in_words'])}." if facts["lost"]["in_words"] else "",
        *_asked_lines(facts),
        f"**The synthetic mark:** {chosen['mark']}.",
        "\n".join(f"- {printable(note)}" for note in chosen["notes"]),
        *worth,
        "## What the words mean",
        _list(facts["definitions"]),
        f"`{JSON_NAME}` holds the same and the whole configuration.",
    ]
    # Names, licences and notes hold other people's text, and Markdown lets HTML through.
    text = printable("\n\n".join(part for part in parts if part), newlines=True)
    return text.replace("<", "&lt;").replace(">", "&gt;") + "\n"


def _arms(arms: list[Mapping[str, Any]]) -> str:
    columns = ("sessions", "impressions", "known", "unknown", "opened", "rated")
    lines = [f"| arm | folder | recommender | {' | '.join(columns)} |", "|---|---|---|" + "---:|" * len(columns)]
    for arm in arms:
        bound = " (a bound: it sees hidden preferences)" if arm["sees_hidden_preference"] else ""
        cells = [_plain(arm["name"]), arm["folder"], f"{_plain(arm['recommender'])}{bound}"]
        lines.append(f"| {' | '.join([*cells, *(_number(arm[name]) for name in columns)])} |")
    return "\n".join(lines)


def _changed_lines(facts: Mapping[str, Any]) -> list[str]:
    """What was changed on the way; [] where nothing was."""
    if "interventions" not in facts:
        return []
    lines = "\n".join(f"- {_plain(line)}" for line in facts["interventions"]["in_words"])
    return [
        "**Changed on the way**, so that rows of the days before and after are not made alike; the recommender of an "
        "arm in the table above is its first one:",
        lines,
    ]


def _asked_lines(facts: Mapping[str, Any]) -> list[str]:
    """What language models were asked besides pages; [] where nothing: who learnt nothing is not what its name says."""
    titles = {
        "afterthoughts": "What agents said after their sessions",
        "lessons": "What recommenders asked in order to learn",
        "lost_replies": "What recommenders asked for lists and could not read",
        "model_lists": "Lists of language models",
    }
    found = []
    for name, title in titles.items():
        told = [f"- {_plain(arm['name'])}: {_plain(arm[name]['in_words'])}" for arm in facts["arms"] if name in arm]
        found += [f"**{title}:**", "\n".join(told)] if told else []
    return found


def _number(count: int | None) -> str:
    return "n/a" if count is None else f"{count:,}"


def _list(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {printable(str(value))}" for name, value in facts.items())


def _plain(text: str) -> str:
    """A name in the text or in a cell of a table, whatever signs it holds."""
    text = printable(text)
    for mark in ("\\", "`", "*", "_", "[", "]", "|"):
        text = text.replace(mark, f"\\{mark}")
    return text

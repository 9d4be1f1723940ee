"""The commands `groundlings compare` and `groundlings power`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape, say_json

if TYPE_CHECKING:
    from groundlings.experiments.running.events import ProgressEvent

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")]
ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")]

FAILED_VERDICT = 3
"""Exit status of a comparison whose verdict `--fail-on` names."""


class _Notes:
    """Prints on the error stream what must be known, and nothing else: standard output may be JSON."""

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""
        from groundlings.experiments.running.events import Note

        if isinstance(event, Note):
            Terminal(stderr=True).print(escape(event.line))


def compare(
    directory: RunArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    fidelity: Annotated[
        Path | None, typer.Option("--fidelity", metavar="FILE", help="A fidelity.json; RUN/fidelity.json if absent.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="A truth.json; RUN/truth.json if absent.")
    ] = None,
    variant: Annotated[
        list[Path] | None,
        typer.Option(
            "--variant", metavar="RUN", help="The same experiment with another prompt, model or seed; may be repeated."
        ),
    ] = None,
    past_tests: Annotated[
        Path | None,
        typer.Option(
            "--past-tests", metavar="FILE", help="A validate.json of `groundlings validate`: corrects the effects."
        ),
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="VERDICT",
            help='Exit with status 3 if any arm has this verdict, for instance "not supported"; may be repeated.',
        ),
    ] = None,
) -> None:
    """Compare the arms of a run: verdict, effects with intervals, checks, segments."""
    from groundlings.experiments.analysis.answer.terminal import print_comparison
    from groundlings.experiments.analysis.report.social_sentences import social_lines, spillover_lines
    from groundlings.experiments.labs.past_tests.correction import as_plain, correct, read_past_tests
    from groundlings.experiments.python_api.comparison import check_words, compare_runs, has_verdict

    words = fail_on or []
    check_words(words)
    past = None if past_tests is None else read_past_tests(past_tests)
    tests = 0 if past is None else past.slope.n
    found = compare_runs(directory, fidelity, variant or (), truth=truth, progress=_Notes(), past_tests=tests)
    corrected = [] if past is None else correct(found.findings, past)
    if as_json:
        ties = {"ties": list(lines)} if (lines := social_lines(directory)) else {}
        say_json(found.as_dict() | ties | ({} if past is None else {"past_tests": as_plain(corrected)}))
    else:
        console = Terminal()
        print_comparison(found.answer, found.findings, console)
        for line in (*spillover_lines(found.findings), *social_lines(directory)):
            console.print(f"ties  {escape(line)}", highlight=False, soft_wrap=True)
        for each in corrected:
            console.print(f"past tests  {escape(each.words)}", highlight=False)
    if words and has_verdict(found, words):
        raise typer.Exit(FAILED_VERDICT)


def power(
    config: ConfigArgument,
    people: Annotated[int, typer.Option("--people", min=20, help="Agents in the pilot.")] = 100,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Run a small pilot and print how many agents the experiment needs and which effects it can detect."""
    from groundlings.experiments.analysis.comparison.pilot import run_pilot
    from groundlings.experiments.analysis.report.verdict_terminal import print_needs
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config

    console = Terminal(stderr=as_json)
    pilot = run_pilot(load_config(config, changes or ()), people, TerminalProgress(console))
    if as_json:
        say_json(pilot.as_dict())
        return
    print_needs(pilot, console)

"""Kill a run at many points and resume each; run by `test_resume.py` in a process of its own.

    python crash_matrix.py DIRECTORY POINTS

The run is killed with SIGKILL when the n-th call of one of our own functions begins. As many points are drawn from each
phase of a run's life, and printed with the function that was about to start: the test sees what they covered. Each run
is a process forked from this one, which has imported what a run imports and compiled the templates of the page, and
pictures are blank; each of these would take most of the time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import yaml

import groundlings.experiments.analysis.metrics
import groundlings.experiments.analysis.report
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.report.skeleton import page_environment
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import resume_experiment, run_experiment

ROOT = str(Path(groundlings.experiments.__file__).parents[1])
ROOMS = tuple(f"{ROOT}/{room}/" for room in ("experiments", "simulator", "personas", "recommenders", "environments"))

PHASES = {
    "recommend": "recommenders/",
    "log": "simulator/log/",
    "days": "simulator/",
    "decide": "personas/",
    "measure": "experiments/analysis/metrics/",
    "report": "experiments/analysis/report/",
    "prepare": "",  # whatever is left
}

CONFIG = {
    "name": "crash",
    "seed": 5,
    "dataset": {"name": "toy", "toy": {"n_users": 24, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 3, "refit_every": 2, "visit_probability": 0.8},
    "site": {"page_size": 4, "max_pages": 3},
    "mind": {
        "kind": "behavioural",
        "cohort_size": 5,
        # Many pages and clicks: a run that is over soon survives its kill.
        "utility": "met",
        "random_click_rate": 0.05,
        "examination_exponent": 1,
        "exit": "rising",
        "patience": 1,
    },
    "arms": [
        {"name": "random", "recommender": "random_order"},
        {"name": "knn", "recommender": "item_knn"},
        {
            "name": "explored",
            "recommender": "epsilon_slots",
            "options": {"of": {"recommender": "popular"}, "epsilon": 0.3},
        },
    ],
}


def main() -> None:
    folder, points = Path(sys.argv[1]), int(sys.argv[2])
    os.environ["GROUNDLINGS_CACHE"] = os.devnull  # nothing is kept, so every run makes the same calls
    path = folder / "crash.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    leave_pictures_blank()
    for name in in_child(lambda: modules_of_a_run(path, folder / "tried")).split():
        with suppress(ImportError):  # some packages give names to modules that cannot be imported by them
            importlib.import_module(name)
    compile_templates()
    gc.disable()  # nobody lives long enough to look for cycles
    digest, phases = in_child(lambda: phase_of_each_call(path, folder / "whole")).split()
    chance = random.Random(11)
    for number in range(points):
        phase = list(PHASES)[number % len(PHASES)]
        letter = chr(ord("a") + number % len(PHASES))
        point = chance.choice([place for place, each in enumerate(phases) if each == letter])
        out = folder / f"killed-{number}"
        where = in_child(lambda point=point, out=out: run_and_die(path, out, point))
        again = in_child(lambda out=out, phase=phase: finish(path, out, draw=phase == "report"))
        print(json.dumps({"phase": phase, "where": where, "resumed": again, "whole": digest}), flush=True)


def in_child(work) -> str:
    """What `work` returns or writes into its pipe before it dies, from a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        global pipe
        pipe = write
        try:
            os.write(write, str(work()).encode())
            os._exit(0)
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as stream:
        told = stream.read()
    os.waitpid(child, 0)
    return told


def leave_pictures_blank() -> None:
    """All of our own work on pictures is done, and none of what matplotlib does to lay out and write them."""
    from groundlings.experiments.analysis.report import svg

    svg._lay_out = lambda _: None
    svg._document = lambda *_, **__: '<svg viewBox="0 0 1 1"></svg>'
    svg._pixels = lambda _: np.zeros((1, 1, 3), dtype=np.uint8)
    svg._png = lambda _: b""


def compile_templates() -> None:
    """Every run finds the templates of the page as the second report of a process does."""
    environment = page_environment()
    for name in environment.list_templates(extensions=["j2", "css"]):
        environment.get_template(name)


def modules_of_a_run(path: Path, out: Path) -> str:
    """What a run and its report have imported."""
    run_experiment(load_config(path), out)
    return " ".join(sys.modules)


def phase_of_each_call(path: Path, out: Path) -> str:
    """The digest of a run, and one letter a call, "a" for the first phase."""
    letters = []

    def note(frame, event, _argument):
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(ROOMS):
            place = name[len(ROOT) + 1 :]
            number = next(number for number, prefix in enumerate(PHASES.values()) if place.startswith(prefix))
            letters.append(chr(ord("a") + number))

    sys.settrace(note)
    digest = run_experiment(load_config(path), out).digest
    sys.settrace(None)
    return f"{digest} {''.join(letters)}"


def run_and_die(path: Path, out: Path, point: int) -> str:
    left = point

    def die(frame, event, _argument):
        nonlocal left
        if event == "call" and frame.f_code.co_filename.startswith(ROOMS):
            if left == 0:
                os.write(pipe, f"{frame.f_code.co_filename[len(ROOT) + 1 :]}:{frame.f_code.co_name}".encode())
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.settrace(die)
    run_experiment(load_config(path), out)
    return "survived"


def finish(path: Path, out: Path, draw: bool) -> str:
    """What a person would do next: resume, or where nothing had begun yet, run again."""
    if not draw:  # most of the time would go into pictures that nobody looks at
        groundlings.experiments.analysis.report.write_report = lambda directory, *_: directory
    try:
        return resume_experiment(out).digest
    except RunDirectoryError as error:
        if "has begun" not in str(error):
            raise
        return run_experiment(load_config(path), out).digest


if __name__ == "__main__":
    main()

"""No name, title, path or server's word steers the terminal, and no terminal turns finished work into a fault."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from groundlings.experiments.cli.main import main

HOSTILE = "\x1b]0;PWN\x07\x1b[2J\x1b]8;;http://evil\x07\x9b5n\u202eRTL\u2066\u200b[red][/x]"
"""A window title, a cleared screen, a link, a question to the terminal, reordered and unseen text, and markup."""

FIRST = f"pop{HOSTILE}{'x' * 200}"
"""Name of the first arm, with which the others are compared; no line can be broken in its end."""

OF_RICH = re.compile(r"\x1b\[[0-9;]*[mAK]|\x1b\[\?25[lh]|\r")
"""What our own colours and progress bars send to a terminal."""

RATING = ("user", "item", "rating", "timestamp")
STEERING = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class Said:
    """What a command wrote, and how it ended."""

    status: int
    out: str
    errors: str

    @property
    def all(self) -> str:
        return OF_RICH.sub("", self.out + self.errors)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, leave_out_sheets: Callable[[pytest.MonkeyPatch], None]) -> Path:
    """A directory with a hostile data set, an experiment on it and its finished run in `run`."""
    home = tmp_path_factory.mktemp("hostile")
    with (home / "items.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "title", "genres"])
        rows.writerows([[f"i{n}", f"=Item {n} {HOSTILE}", f"kind {n % 3}{HOSTILE}"] for n in range(12)])
    with (home / "users.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", f"town{HOSTILE}"])
        rows.writerows([[f"u{n}{HOSTILE}", f"Ur {HOSTILE}{'u' * 300}"] for n in range(6)])
    with (home / "ratings.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(RATING)
        rows.writerows(
            [
                [f"u{u}{HOSTILE}", f"i{(u + 2 * k) % 12}", 1 + (u + k) % 5, 1_700_000_000 + 60 * k]
                for u in range(6)
                for k in range(6)
            ]
        )
    experiment = {
        "name": "hostile",
        "description": HOSTILE,
        "seed": 3,
        "dataset": {
            "name": "own",
            "own": {
                "interactions": {"path": "ratings.csv", **{key: key for key in RATING}},
                "items": {"path": "items.csv", "id": "id", "title": "title", "genres": "genres"},
                "users": {"path": "users.csv", "id": "id", "attributes": [f"town{HOSTILE}"]},
            },
        },
        "simulation": {"days": 1},
        "site": {"page_size": 3, "max_pages": 2},
        "mind": "behavioural",
        "arms": [
            {"name": FIRST, "recommender": "popular"},
            {"name": f"七rand{HOSTILE}", "recommender": "random_order"},
        ],
    }  # fmt: skip
    (home / "hostile.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        leave_out_sheets(patched)
        done = command(home, "run", "hostile.yaml", "--out", "run", colours=True)
    assert done.status == 0, done.errors
    (home / "run.txt").write_text(done.out + done.errors, encoding="utf-8", newline="")
    return home


def command(home: Path, *words: object, encoding: str = "utf-8", colours: bool = False) -> Said:
    """Run the command in this process, in a directory, on streams of an encoding that errs as Python's own do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("COLUMNS", "120")
        patch.setenv("GROUNDLINGS_OFFLINE", "1")
        if colours:
            patch.setenv("FORCE_COLOR", "1")
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="") for _ in range(2)]
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        patch.setattr(sys, "argv", ["groundlings", *map(str, words)])
        patch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as left:
            main()
        written = [stream.buffer.getvalue().decode(encoding) for stream in streams]  # type: ignore[attr-defined]
    assert isinstance(left.value.code, int)
    return Said(left.value.code, *written)


def harmless(text: str) -> None:
    """Nothing in it steers, hides or reorders, apart from line feeds."""
    assert {sign for sign in text if unicodedata.category(sign) in STEERING} <= {"\n"}
    assert not set(text) & set("\u202e\u2066\u200b\x9b")


COMMANDS = [
    ("check", "hostile.yaml"),
    ("personas", "show", "hostile.yaml"),
    ("personas", "show", "hostile.yaml", "--user", f"nobody{HOSTILE}"),
    ("compare", "run"),
    ("compare", "run", "--json"),
    ("runs", "show", "run"),
    ("runs", "list", "--dir", "."),
    ("runs", "show", f"gone{HOSTILE}"),
    ("digest", "run"),
    ("agent", "run", "--user", f"u1{HOSTILE}"),
    ("agent", "run", "--user", f"nobody{HOSTILE}"),
    ("run", f"absent{HOSTILE}.yaml"),
    ("check", "hostile.yaml", "--set", f"site.page_size={HOSTILE}"),
    ("check", "hostile.yaml", "--set", f"arms={HOSTILE}"),
    ("check", "hostile.yaml", "--set", f"dataset.name={HOSTILE}"),
    ("check", "hostile.yaml", "--set", f"mind=no{HOSTILE}:Mind"),
    ("datasets", "show", f"no{HOSTILE}"),
    (f"no{HOSTILE}",),
    ("run", f"--no{HOSTILE}"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words).partition("\x1b")[0])
def test_no_command_lets_outside_text_steer_the_terminal(world: Path, words: tuple[str, ...]) -> None:
    said = command(world, *words)
    harmless(said.out + said.errors)
    assert "Traceback" not in said.all
    assert said.status == (2 if any(HOSTILE in word for word in words) and "u1" not in words[-1] else 0)


@pytest.mark.parametrize("words", [("compare", "run"), ("agent", "run", "--user", f"u1{HOSTILE}")])
def test_with_colours_only_our_own_codes_are_sent(world: Path, words: tuple[str, ...]) -> None:
    said = command(world, *words, colours=True)
    assert "\x1b[" in said.out + said.errors
    harmless(said.all)


def test_a_run_with_bars_on_a_terminal_sends_nothing_but_its_own_codes(world: Path) -> None:
    said = (world / "run.txt").read_text(encoding="utf-8")
    assert "\x1b[" in said, "colours and bars were forced"
    harmless(OF_RICH.sub("", said))
    assert "[red][/x]" in OF_RICH.sub("", said).replace("\n", "")


def test_names_are_shown_with_what_steers_written_out_and_markup_as_it_is(world: Path) -> None:
    shown = command(world, "runs", "show", "run").out
    folded = re.sub(r"\s+", "", re.sub(r"\s{2,}\d.*", "", shown))
    assert r"pop\x1b]0;PWN\x07\x1b[2J" in folded
    assert "七rand" in shown
    assert "[red][/x]" in folded


def test_json_for_programs_keeps_every_name(world: Path) -> None:
    said = command(world, "compare", "run", "--json")
    assert [arm["name"] for arm in json.loads(said.out)["arms"]] == [f"七rand{HOSTILE}"]
    ascii_only = command(world, "compare", "run", "--json", encoding="ascii")
    assert json.loads(ascii_only.out) == json.loads(said.out)


def test_pages_and_datasheets_hold_nothing_that_steers_and_formulas_are_told(world: Path) -> None:
    page = (world / "run/report.html").read_text(encoding="utf-8")
    harmless(page)
    written_by_script = json.loads(page.partition('id="pairs">')[2].partition("</script>")[0])
    harmless("".join(written_by_script["arms"]))
    said = command(world, "export", "run", "--format", "movielens", "--out", "movielens")
    assert said.status == 0, said.errors
    harmless(said.all)
    sheet = (world / "movielens/DATASHEET.md").read_text(encoding="utf-8")
    harmless(sheet)
    assert "movies.csv: 12 cells begin like a formula (the first: '=Item 0" in sheet
    assert json.loads((world / "movielens/datasheet.json").read_text(encoding="utf-8"))["arms"][0]["name"] == FIRST
    titles = [path.read_text(encoding="utf-8") for path in world.glob("movielens/*/movies.csv")]
    assert all(f"=Item 3 {HOSTILE}" in text for text in titles), "a program joins on titles: they stay as they are"
    assert "ratings.csv: " not in sheet.partition("## What the words mean")[0].partition("mark")[2]


@pytest.mark.parametrize("width", [390, 1400])
def test_a_word_without_an_end_makes_no_page_scroll_sideways(world: Path, browser, width: int) -> None:
    page = browser.open(world / "run/report.html", width, 844)
    page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= width
    page.close()


def test_letters_that_the_font_of_the_pictures_lacks_are_no_warning(world: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = command(world, "report", "run")
    assert said.errors == ""
    harmless(said.out)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(
    "words",
    [("compare", "run"), ("personas", "show", "hostile.yaml"), ("datasets", "show", "toy"),
     ("agent", "run", "--user", f"u1{HOSTILE}"), ("doctor",), ("schema",), ("--help",), ("formats",)],
    ids=lambda words: words[0],
)  # fmt: skip
def test_every_command_ends_well_where_the_terminal_lacks_letters(
    world: Path, words: tuple[str, ...], encoding: str
) -> None:
    said = command(world, *words, encoding=encoding)
    assert said.status == 0, said.errors
    assert "Traceback" not in said.all
    harmless(said.all)
    assert not set(said.out) & set("─│█✓")


class Broken(io.RawIOBase):
    """A file descriptor that cannot be written any more."""

    def __init__(self, code: int) -> None:
        self.code = code

    def writable(self) -> bool:
        return True

    def write(self, _: object) -> int:
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize(
    ("code", "words", "status", "told"),
    [
        (errno.EPIPE, ("runs", "show", "run"), 0, ""),
        (errno.EPIPE, ("digest", "run"), 0, ""),
        (errno.ENOSPC, ("digest", "run"), 1, "No space left on device"),
        (errno.ENOSPC, ("export", "run", "--format", "trec", "--out", "full"), 0, "No space left on device"),
        (errno.EPIPE, ("export", "run", "--format", "trec", "--out", "left"), 0, ""),
        (errno.ENOSPC, ("data", "split", "hostile.yaml", "--out", "split"), 0, "No space left on device"),
    ],
)
def test_the_status_tells_of_the_work_and_not_of_the_reader(
    world: Path, code: int, words: tuple[str, ...], status: int, told: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Broken(code)), encoding="utf-8"))
        errors = io.StringIO()
        patch.setattr(sys, "stderr", errors)
        patch.setattr(sys, "argv", ["groundlings", *words])
        patch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as left:
            main()
    assert left.value.code == status
    assert told in errors.getvalue()
    assert bool(errors.getvalue()) == bool(told)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE])
def test_what_the_system_lacks_is_one_message_even_where_no_file_is_named(
    code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("groundlings.experiments.cli.main.app", fails)
    monkeypatch.setattr("groundlings.experiments.cli.main._mount", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert os.strerror(code) in told
    assert "Traceback" not in told


def test_a_process_survives_closed_streams_a_reader_that_leaves_and_an_ascii_terminal(world: Path) -> None:
    show = f'"{sys.executable}" -m groundlings runs show run'
    plain = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
    script = f"{show} >&- 2>&- <&-; echo $?; ({plain} {show}; echo $? >&2) | head -n 1"
    done = subprocess.run(
        ["bash", "-c", script], cwd=world, capture_output=True, text=True, timeout=120, env={**os.environ}
    )
    assert done.stderr == "0\n"
    assert done.stdout.splitlines()[0] == "0"
    assert len(done.stdout.splitlines()) == 2


def test_a_server_cannot_speak_to_the_terminal(world: Path) -> None:
    class Shouting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"error": {"message": f"no such thing {HOSTILE}\ud83d", "type": HOSTILE}}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the names are the base class's

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has heard enough hangs up, which is no fault of the command."""

    server = Quiet(("127.0.0.1", 0), Shouting)
    Thread(target=server.serve_forever, daemon=True).start()
    model = {"provider": "endpoint", "base_url": f"http://127.0.0.1:{server.server_port}/v1", "model": f"m{HOSTILE}"}
    config = yaml.safe_load((world / "hostile.yaml").read_text(encoding="utf-8"))
    (world / "asks.yaml").write_text(yaml.safe_dump({**config, "mind": {"kind": "language", "model": model}}))
    try:
        said = command(world, "run", "asks.yaml", "--out", f"asks{HOSTILE.replace('/', '')}")
        probed = command(world, "model", "check", model["base_url"], "--model", f"m{HOSTILE}")
    finally:
        server.shutdown()
        server.server_close()
    for each in (said, probed):
        assert each.status != 0
        assert "Traceback" not in each.all
        harmless(each.all)

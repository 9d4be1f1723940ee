"""The pages that read: the index, a run's pages, and what nobody gets."""

from __future__ import annotations

import pytest

from groundlings.experiments.ui.run_shelf import shelved_runs
from groundlings.simulator.log.reader import LogReader

PAGES = ("live", "people", "calls", "calls?failed=1", "sql", "people/1", "people/1?whole=1", "people/1?day=2")


def test_the_index_lists_every_run_and_no_link(site) -> None:
    page = site.get("/")
    assert page.status == 200
    assert "/one" not in page.text.replace("/runs/one-", "")
    assert page.text.count('type="checkbox"') == 2
    assert "leads out" not in page.text
    assert "two &lt;b&gt;&amp;" in page.text
    assert "two <b>" not in page.text


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_a_run_is_shown_and_nothing_in_it_is_markup(site, page) -> None:
    found = site.get(f"{site.key('one')}/{page}")
    assert found.status == 200
    for hostile in ("<script>alert", "<img src=x", "small <i>"):
        assert hostile not in found.text


def test_every_answer_is_closed_to_other_sites_and_sets_no_cookie(site) -> None:
    run = site.key("one")
    pages = (f"{run}/{name}" for name in ("live", "report.html", "people/1?whole=1", "files/manifest.json"))
    for path in ("/", *pages, "/static/ui.js", "/nowhere"):
        headers = site.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in headers


def test_a_report_may_run_the_shipped_script_and_no_other(site) -> None:
    report = site.get(f"{site.key('one')}/report.html")
    assert report.status == 200
    (scripts,) = [part for part in report.headers["content-security-policy"].split("; ") if part.startswith("script")]
    assert scripts.startswith("script-src 'sha256-")
    assert "unsafe" not in scripts


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../secret.txt",
        "/runs/one/report.html",
        "/runs/%2e%2e/report.html",
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/static/app.py",
    ],
)
def test_no_address_becomes_a_path(site, path) -> None:
    found = site.get(path)
    assert found.status == 404
    assert "not for the web" not in found.text


@pytest.mark.parametrize("name", ["log.db", "..", "%2e%2e%2fsecret.txt", "link.json", "nothing.png", ".lock"])
def test_only_named_kinds_of_files_that_lie_there_are_downloaded(site, name) -> None:
    found = site.get(f"{site.key('one')}/files/{name}")
    assert found.status == 404
    assert "not for the web" not in found.text
    assert site.get(f"{site.key('one')}/files/manifest.json").text == "{}"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "user@evil.example"])
def test_a_name_that_is_not_ours_gets_nothing(site, host) -> None:
    found = site.get("/", Host=host)
    assert found.status in (400, 403)
    assert "checkbox" not in found.text


def test_users_are_found_by_the_beginning_of_their_id_and_page_by_page(site) -> None:
    run = site.key("one")
    found = site.get(f"{run}/people?begins=u1").text
    assert [f">u{number}<" in found for number in (1, 10, 2)] == [True, True, False]
    assert "No user" in site.get(f"{run}/people?begins=%25").text
    assert site.get(f"{run}/people?after=99999999999999999999").status == 200


def test_failed_calls_are_shown_alone(site) -> None:
    run = site.key("one")
    with LogReader(site.root / "one") as log:
        failed = log.calls_after(0, 10_000, failed=True)
        everything = log.calls_after(0, 10_000)
    assert {call["call_id"] for call in failed} == {call["call_id"] for call in everything if call["status"] != "ok"}
    assert site.get(f"{run}/calls?failed=1").text.count('class="call"') == min(len(failed), 20)


def test_two_runs_are_compared_and_three_are_not(site) -> None:
    one, two = (site.key(name).removeprefix("/runs/") for name in ("one", "two &lt;b&gt;&amp;"))
    assert "No difference" in site.get(f"/compare?run={two}&run={two}").text
    assert "manifest.json was changed: its seal is missing" in site.get(f"/compare?run={one}&run={two}").text
    assert site.get(f"/compare?run={one}").status == 404
    assert site.get(f"/compare?run={one}&run=nowhere-12345678").status == 404


def test_addresses_are_the_same_at_each_start_and_differ_where_names_do(tmp_path) -> None:
    for name in ("A b", "a-b", "a b", "日本", "x" * 200):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    first, second = ([run.key for run in shelved_runs(tmp_path)] for _ in range(2))
    assert first == second
    assert len({*first}) == 5
    assert all(key.isascii() and key.replace("-", "").isalnum() for key in first)


def test_a_directory_that_is_a_run_is_served_alone(small_run, serve) -> None:
    with serve(small_run) as site:
        assert site.get("/").text.count('type="checkbox"') == 1
        assert site.get(f"{site.key(small_run.name)}/live").status == 200


def test_an_unreadable_run_stands_in_the_index_with_the_reason(tmp_path, serve) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "log.db").write_bytes(b"no database" * 100)
    with serve(tmp_path) as site:
        assert "unreadable" in site.get("/").text
        assert "not a readable SQLite database" in site.get("/").text
        assert "not a readable SQLite database" in site.get(f"{site.key('broken')}/live").text
        assert site.get(f"{site.key('broken')}/people").status == 500

"""Addresses of databases as a configuration may hold them."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from groundlings.experiments.config.loading import load_config
from groundlings.simulator.log.postgres import PostgresStore
from tests.simulator.log.test_postgres import SMALL, small


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:s3cret@host/db", "carries no password"),
        ("postgresql://me@host/db?password=s3cret", "carries no password"),
        ("postgresql://me%3As3cret@host/db", "carries no password"),
        ("postgresql://me@host/db?options=-c%20app.token%3Ds3cret", "carries no password"),
        ("postgres://me@host/db-s3cret", "expected postgresql://"),
        ("postgresql://me@host-s3cret", "expected postgresql://"),
        ("sqlite:///s3cret.db", "expected postgresql://"),
        ("postgresql://s3cret@host..org/db", "expected postgresql://"),
        ("postgresql://s3cret@host\ud800/db", "expected postgresql://"),
        (f"postgresql://s3cret@{64 * 'a'}.org/db", "expected postgresql://"),
        ("postgresql://s3cret@/db?host=there,host..org", "expected postgresql://"),
    ],
)
def test_an_address_with_a_password_or_of_something_else_is_refused_and_not_repeated(tmp_path, url, message):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({**SMALL, "log": {"url": url}}))
    with pytest.raises(Exception, match=message) as told:
        load_config(tmp_path / "x.yaml")
    assert "s3cret" not in str(told.value)
    with pytest.raises(ValidationError) as told:
        small(log={"url": url})
    assert "s3cret" not in str(told.value)


def test_a_message_names_a_log_without_what_its_options_hold():
    url = "postgresql+psycopg://me@/db?host=/run&options=-c%20app.mode%3Dhidden&pasword=hidden"
    assert str(PostgresStore(url, "run_x")) == ("postgresql+psycopg://me@/db?host=/run&options=...&pasword=... (run_x)")

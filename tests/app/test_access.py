"""Who may look: an address that others reach is refused without a login, a password is asked for and compared."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit import config

from app.shared import access

PAGES = ("overview", "launch", "sweep")


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_login(fake: Any, open_page: Any, address: str) -> None:
    config.set_option("server.address", address)
    assert access.loopback(address)
    assert not open_page().error


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.4", "::", "example.org", "localhost.example.org", None])
def test_another_address_is_refused_on_every_page(fake: Any, open_page: Any, words: Any, address: str | None) -> None:
    fake.add("secret name", "running", {("a", 1.0): ["ok"]})
    config.set_option("server.address", address)
    for page in PAGES:
        at = open_page(page)
        assert len(at.error) == 1 and "opens only with a login" in at.error[0].value
        assert "secret name" not in words(at) and not at.button and not at.dataframe
    assert fake.client.commands == [], "nor is a service started for a stranger"


def test_a_password_opens_every_page(fake: Any, open_page: Any, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.PASSWORD, "søsame <b>")
    monkeypatch.setattr(access.time, "sleep", lambda seconds: None)
    config.set_option("server.address", "0.0.0.0")
    fake.add("secret name", "finished", {("a", 1.0): ["ok"]})
    at = open_page()
    assert [box.label for box in at.text_input] == ["Password"] and "secret name" not in words(at)
    for wrong in ("", "søsame", "søsame <b> "):
        at.text_input[0].set_value(wrong)
        at.button[0].click().run()
        assert [error.value for error in at.error] == ["This is not the password."] and "secret name" not in words(at)
    at.text_input[0].set_value("søsame <b>")
    at.button[0].click().run()
    assert not at.error and at.page_link[1].value == "secret name"
    at.switch_page("views/launch.py").run()
    assert at.title[0].value == "New sweep"


def test_with_oidc_one_logs_in_there(fake: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_oidc", lambda: {"redirect_uri": "x"})
    config.set_option("server.address", "0.0.0.0")
    at = open_page(user={"is_logged_in": False})
    assert [button.label for button in at.button] == ["Log in"] and at.button[0].proto.label == "Log in"


def test_who_is_logged_in_sees_the_pages(fake: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_oidc", lambda: {"redirect_uri": "x"})
    config.set_option("server.address", "0.0.0.0")
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    assert open_page(user={"is_logged_in": True}).page_link


def test_the_shipped_configuration_is_closed() -> None:
    import tomllib
    from pathlib import Path

    import app

    shipped = tomllib.loads((Path(app.__file__).parent / ".streamlit" / "config.toml").read_text())
    assert shipped["server"]["address"] == "127.0.0.1"
    assert set(shipped["server"]["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert shipped["browser"]["gatherUsageStats"] is False
    assert shipped["runner"]["magicEnabled"] is False
    options = set(config.get_config_options())

    def keys(table: dict[str, Any], prefix: str) -> set[str]:
        names: set[str] = set()
        for key, value in table.items():
            names |= keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
        return names

    assert keys(shipped, "") <= options
    assert st.get_option("server.address")

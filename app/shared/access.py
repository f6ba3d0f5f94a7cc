"""Who may see the dashboard: where others can reach it, it asks who they are, or refuses to open."""

from __future__ import annotations

import hmac
import ipaddress
import os
import time
from collections.abc import Mapping

import streamlit as st

PASSWORD = "SWEEPBOARD_PASSWORD"
"""The environment variable that asks every visitor for a password."""


def loopback(address: str | None) -> bool:
    """Whether only this machine reaches that address; no address means all addresses."""
    if address is None:
        return False
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _oidc() -> Mapping[str, object] | None:
    if not st.secrets.load_if_toml_exists():
        return None
    return st.secrets.get("auth")


def _login_form(password: str) -> None:
    with st.form("login", width=360):
        given = st.text_input("Password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Open", type="primary")
    if sent:
        if hmac.compare_digest(given.encode(), password.encode()):
            st.session_state["_admitted"] = True
            st.rerun()
        time.sleep(1)
        st.error("This is not the password.")


def require() -> None:
    """Let the visitor pass, or show what is missing and end the run."""
    password, oidc = os.environ.get(PASSWORD, ""), _oidc()
    if oidc:
        if st.user.is_logged_in:
            return
        st.title("Sweepboard")
        st.button("Log in", type="primary", on_click=st.login)
        st.stop()
    if password:
        if st.session_state.get("_admitted"):
            return
        st.title("Sweepboard")
        _login_form(password)
        st.stop()
    address = st.get_option("server.address")
    if not loopback(address):
        st.title("Sweepboard")
        where = f"at the address {address}" if address else "at every address of this machine"
        st.error(
            f"This dashboard listens {where}, so it opens only with a login: set {PASSWORD} or an [auth] section in"
            " .streamlit/secrets.toml, or start it with server.address 127.0.0.1."
        )
        st.stop()

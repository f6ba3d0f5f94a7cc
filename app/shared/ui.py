"""What every page shares: text that is only text, numbers and times in words, states, and the little CSS there is."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

import streamlit as st

from tracking.legible import legible
from tracking.schema import ACTIVE as ACTIVE
from tracking.schema import State

REFRESH: Final = 2.0
"""Seconds between two looks at the store while something runs."""
SWEEP_REFRESH: Final = 3.0
"""Seconds between two looks of a sweep's page, which is drawn on the cores that train."""

# Spacing and alignment, and no fading while a part refreshes; colours, fonts and radii are in .streamlit/config.toml.
_CSS: Final = """<style>
h1, h2, h3, [data-testid="stMarkdownContainer"] p, [data-testid="stCaptionContainer"] p { overflow-wrap: anywhere; }
@media (min-width: 1000px) { [data-testid="stMainBlockContainer"] { padding-left: 3.2rem; padding-right: 3.2rem; } }
[data-testid="stMarkdownContainer"] p, [data-testid="stDataFrame"] { font-variant-numeric: tabular-nums; }
[class*="st-key-row-"] { padding: .55rem 0; border-bottom: 1px solid var(--st-border-color, rgba(128,128,128,.2)); }
[class*="st-key-row-"] [data-testid="stProgress"] { padding-top: .1rem; }
.st-key-head-row { padding-bottom: 0; }
[class*="st-key-row-"] [data-testid="stPageLink-NavLink"] { padding: 0; margin: 0; font-weight: 600; }
[class*="st-key-row-"] [data-testid="stPageLink-NavLink"] p { font-weight: 600; }
.st-key-sweep-actions [data-testid="stPageLink-NavLink"], .st-key-new-sweep [data-testid="stPageLink-NavLink"] {
  min-height: 2.5rem; margin: 0; padding: .25rem .75rem;
  border: 1px solid var(--st-border-color, rgba(128,128,128,.2)); }
.st-key-new-sweep [data-testid="stPageLink-NavLink"], .st-key-new-sweep [data-testid="stPageLink-NavLink"]:hover {
  border: none; background: var(--st-primary-color, #2f5fc4); }
.st-key-new-sweep [data-testid="stPageLink-NavLink"] * { color: white; }
[class*="st-key-icon-"] button { padding: 0 .35rem; opacity: .65; }
[class*="st-key-icon-"] button:hover, [class*="st-key-icon-"] button:focus-visible { opacity: 1; }
[class*="st-key-icon-"] button [data-testid="stMarkdownContainer"] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 640px) {
  .st-key-head-row { display: none; }
  [class*="st-key-row-"] p { text-align: left !important; }
  [class*="st-key-row-"] [data-testid="stHorizontalBlock"] { gap: .25rem; }
}
@media (min-width: 641px) {
  [data-testid="stColumn"]:has(.st-key-aside) {
    position: sticky; top: 4.5rem; align-self: flex-start; }
}
.st-key-runs-bar { min-height: 2.6rem; justify-content: center; }
[data-stale="true"] { opacity: 1 !important; transition: none !important; }
[data-testid="stBottomBlockContainer"] { padding-top: .7rem; padding-bottom: .9rem; }
[data-testid="stBottom"] { border-top: 1px solid var(--st-border-color, rgba(128,128,128,.2)); }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
</style>"""

HEARD_S: Final = 0.2
"""How long a browser may take to hear that a page runs again."""

_PUNCTUATION: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$&=\"'^])")
_JOINER: Final = "\u2060"  # zero-width: what it divides is no directive, emoji, icon or link any more


def style() -> None:
    """Add the pages' CSS."""
    st.html(_CSS)


def go(page: str, params: Mapping[str, str | Sequence[str]]) -> NoReturn:
    """Open another page from the script, in a run of the whole page; a link does it better where it can.

    A refresh that the browser asks for by its clock is run on the next page if that has begun, and empties it. It stops
    its clocks when it hears that the whole page runs again, which it is given time for.

    Args:
        page: The name of its file in views.
        params: What its address holds.
    """
    time.sleep(HEARD_S)
    st.switch_page(f"views/{page}.py", query_params=dict(params))


def rerun() -> NoReturn:
    """Run the whole page again, because what it shows has changed and not because of a click.

    What the reader asked for since the page last drew something, another page for instance, is done instead: a bare
    `st.rerun()` would put itself in its place.
    """
    st.empty()  # where something is drawn, Streamlit looks for what was asked for
    st.rerun()


def text(value: Any, length: int | None = None) -> str:
    """The value for a place that reads Markdown: shown letter by letter, never as markup, link, icon or emoji.

    Args:
        value: Anything from the store, a spec or a user.
        length: Cut to this many characters.
    """
    shown = legible(" ".join(str(value).split()))
    if length is not None and len(shown) > length:
        shown = shown[: length - 1] + "…"
    shown = re.sub(r":(?=\S)", ":" + _JOINER, shown)
    shown = re.sub(r"(?i)(www)(?=\.)", r"\1" + _JOINER, shown).replace("@", "@" + _JOINER)
    return _PUNCTUATION.sub(r"\\\1", shown).replace(":", "\\:")


def asked(question: str) -> str:
    """A sweep's question without what is said after it: up to its first question mark, or all of it."""
    first, mark, _ = question.partition("? ")
    return first + mark.strip()


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 run`, `12 runs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A time span in everyday words."""
    if seconds < 1.5:
        return "a second"
    if seconds < 55:
        return f"{seconds:.0f} seconds" if seconds < 10 else f"{5 * round(seconds / 5)} seconds"
    if seconds < 90:
        return "a minute"
    if seconds < 55 * 60:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 90 * 60:
        return "an hour"
    if seconds < 22 * 3600:
        return f"{seconds / 3600:.0f} hours"
    return "a day" if seconds < 36 * 3600 else f"{seconds / 86400:.0f} days"


def ago(milliseconds: float | None) -> str:
    """How long ago something was, in words."""
    if milliseconds is None or milliseconds != milliseconds:
        return ""
    seconds = time.time() - milliseconds / 1000
    return "just now" if seconds < 5 else f"{duration(seconds)} ago"


def moment(milliseconds: float) -> str:
    """When something was, by this machine's clock: `2026-11-29 20:14:05`.

    For the options of a list. Words such as "a minute ago" change while the user chooses, and Streamlit then takes the
    list for another one and forgets the choice.
    """
    return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M:%S}"


_BADGES: Final = {
    State.RUNNING: ("blue", "Running"),
    State.QUEUED: ("gray", "Queued"),
    State.DRAFT: ("gray", "Draft"),
    State.PAUSING: ("orange", "Pausing"),
    State.PAUSED: ("orange", "Paused"),
    State.STOPPING: ("gray", "Stopping"),
    State.STOPPED: ("gray", "Stopped"),
    State.FINISHED: ("green", "Finished"),
    State.FAILED: ("red", "Failed"),
}


def badge(state: str) -> str:
    """The sweep's state as a Markdown badge."""
    colour, word = _BADGES.get(state, ("gray", text(state, 20)))  # type: ignore[call-overload]
    return f":{colour}-badge[{word}]"


def dark() -> bool:
    """Whether the page is dark."""
    return st.context.theme.type == "dark"


def time_left(runs: Any, planned: int, now_ms: float) -> float | None:
    """Seconds until the last run ends, from how long runs took; None before one has ended.

    Args:
        runs: One row per run: outcome, counts, start_time, end_time in milliseconds.
        planned: The number of runs in all.
        now_ms: The present, in milliseconds.
    """
    counting = runs[runs["counts"].astype(bool)] if len(runs) else runs
    if not len(counting):
        return None
    running = counting[counting["outcome"] == "running"]
    ended = counting[(counting["outcome"] != "running") & counting["end_time"].notna()]
    took = (ended["end_time"] - ended["start_time"]).astype(float) / 1000
    if not len(took):
        return None
    typical = float(took.tail(50).mean())
    ages = (now_ms - running["start_time"].astype(float)) / 1000
    waiting = max(0, planned - len(counting))
    return float(waiting * typical + (typical - ages).clip(lower=0).sum()) / max(1, len(running))

"""What all pages share: text that stays text, the service's line, what the process imports, the real store."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from app.shared import ui


@pytest.fixture(autouse=True)
def _forget_starts() -> None:
    st.cache_resource.clear()


def sidebar(at: Any) -> str:
    """The service's line."""
    return "\n".join(caption.value for caption in at.sidebar.caption)


def test_a_service_that_runs_is_one_quiet_line(fake: Any, open_page: Any) -> None:
    at = open_page()
    assert "Service ready, 2 workers" in sidebar(at) and fake.client.commands == [] and not at.warning
    fake.client.state = replace(fake.client.state, active=("a",))
    assert "Service training 1 sweep" in sidebar(at.run())


def test_opening_starts_the_service_once_and_waits_for_nothing(fake: Any, open_page: Any) -> None:
    fake.client.state = replace(fake.client.state, alive=False)
    at = open_page()
    at.run()
    assert "starting" in sidebar(at) and fake.client.commands == [("start_service", "")]
    fake.client.state = replace(fake.client.state, alive=True)
    assert "ready" in sidebar(at.run())


def test_the_dashboard_imports_nothing_from_the_current_directory(
    open_page: Any, namesakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(namesakes)
    monkeypatch.setattr(sys, "path", [str(namesakes), "", *sys.path])  # as `python -m streamlit` has it
    at = open_page()
    folders = list(sys.path)
    assert {str(namesakes), ""}.isdisjoint(folders) and Path(folders[0]) == Path(ui.__file__).parents[2]
    at.run()
    assert sys.path == folders


@pytest.mark.parametrize("page", ["overview", "launch", "sweep"])
def test_a_problem_is_a_warning_on_every_page(fake: Any, open_page: Any, page: str) -> None:
    fake.client.state = replace(fake.client.state, problem="The disk is *full*: <b>")
    assert [warning.value for warning in open_page(page).warning] == [ui.text("The disk is *full*: <b>")]


def test_a_service_that_cannot_be_asked_leaves_the_pages_usable(fake: Any, open_page: Any) -> None:
    fake.client.status.side_effect = OSError("no socket")
    at = open_page()
    assert "not running" in sidebar(at) and "no socket" in at.warning[0].value and at.title


@pytest.mark.parametrize(
    "name",
    [
        "plain words", "adam, lr 0.01", "<script>alert(1)</script>", "**b** _i_ ~s~ `c`", "[l](javascript:alert(1))",
        "![i](http://evil.example/x.png)", ":material/home: :red[x] :tada: :streamlit:", "$a$ $$b$$", "# h", "1. one",
        "- item", "> quote", "| a | b |", "www.evil.example", "me@evil.example", "https://evil.example", "a\nb\n\n# c",
        "\\*", "&lt;b&gt; &copy;",
    ],
)  # fmt: skip
def test_text_is_shown_letter_by_letter(name: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("gfm-like", {"linkify": False, "html": True})
    tokens = parser.parse(ui.text(name))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    inline = tokens[1].children
    assert {token.type for token in inline} <= {"text", "text_special"}
    letters = "".join(token.content for token in inline)
    assert letters.replace("\u2060", "") == " ".join(name.split())
    # Streamlit replaces these in what the parser leaves as text.
    for active in (":material/", ":red[", ":tada:", ":streamlit:", "www.", "@evil", "://"):
        assert active not in letters


def test_text_can_be_cut() -> None:
    assert ui.text("W" * 100, 10) == "W" * 9 + "…"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a second"), (4.2, "4 seconds"), (41, "40 seconds"), (60, "a minute"), (200, "3 minutes"),
        (3500, "an hour"), (7300, "2 hours"), (90_000, "a day"), (400_000, "5 days"),
    ],
)  # fmt: skip
def test_times_are_words(seconds: float, words: str) -> None:
    assert ui.duration(seconds) == words


def test_the_time_left_follows_from_how_long_runs_took(fake: Any) -> None:
    fake.add("s", "running", {("a", 1.0): ["ok", "running", "running"]})
    runs = fake.runs("s")
    now = float(runs["start_time"].iloc[1] + 500)  # two seconds a run; one is 0.5 s old, the other begins in 0.5 s
    assert ui.time_left(runs, planned=7, now_ms=now) == pytest.approx((4 * 2 + 1.5 + 2.5) / 2)
    assert ui.time_left(runs.iloc[1:], planned=7, now_ms=now) is None, "nothing has ended: nothing is known"


TITLES = {
    "overview": "Overview", "launch": "New sweep", "sweep": "Sweep", "runs": "Runs", "compare": "Compare",
    "bias_variance": "Bias and variance", "optimizers": "Optimizers", "regularization": "Regularization",
    "quality": "Quality", "run": "Run",
}  # fmt: skip
"""The file of a page -> its title."""


def test_every_page_opens_in_one_run(fake: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all tests of pages rely on: `open_page` shows the page that was asked for, and not another one."""
    navigation, opened = st.navigation, []

    def watched(pages: Any, **more: Any) -> Any:
        opened.append((pages, navigation(pages, **more)))
        return opened[-1][1]

    monkeypatch.setattr(st, "navigation", watched)
    for page, title in TITLES.items():
        at = open_page(page)
        assert at.title[0].value == title
    assert len(opened) == len(TITLES), "each was opened in one run"
    assert [page.url_path or "overview" for _, page in opened] == list(TITLES)
    assert [page.title for page in opened[0][0]] == [page.title for _, page in opened], "these are all pages"


EMPTY = {
    "overview": "No sweep has been launched here yet", "launch": "Values to try",
    "sweep": "There is no sweep yet", "runs": "has no runs yet", "compare": "There is nothing to compare yet",
    "bias_variance": "Is the network too simple for its task", "optimizers": "Which way of descending",
    "regularization": "Which restraint makes a network err less", "quality": "There is no run yet",
    "run": "No run is chosen",
}  # fmt: skip
"""The file of a page -> what it says where nothing has been trained."""


@pytest.mark.parametrize("page", TITLES)
def test_every_page_of_an_empty_store_says_what_it_is_for(uri: str, client: Any, visit: Any, page: str) -> None:
    at = visit(page)
    assert at.title[0].value == TITLES[page]
    assert EMPTY[page] in "\n".join(text.value for text in (*at.main.markdown, *at.main.caption, *at.main.subheader))


def test_pages_read_a_real_store(uri: str, visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.shared import store
    from sweeps.client import ServiceStatus
    from sweeps.service.launching import store_sweep
    from sweeps.spec import check

    monkeypatch.setattr(store.Client, "status", lambda self: ServiceStatus(alive=True, workers=1))
    raw = {"name": "real", "question": "Is it?", "model": {"name": "mlp"}, "data": {"name": "iris"}, "seeds": 2}
    at = visit()
    assert [link.value for link in at.page_link] == ["New sweep"], "an empty store shows no sweep"
    sweep = store_sweep(uri, check(raw))
    at.run()
    assert not at.exception and at.page_link[1].value == "real"
    at.switch_page("views/sweep.py")
    at.query_params["sweep"] = sweep
    at.run()
    assert not at.exception and at.title[0].value == "Is it?" and "0 of 2 runs" in at.progress[0].text
    at.switch_page("views/launch.py")
    at.query_params["copy"] = sweep
    at.run()
    assert not at.exception and check(raw).name in at.code[0].value and not at.error


@pytest.mark.parametrize(
    ("page", "options"),
    [
        ("regularization", lambda at: at.multiselect(key="regularization-sweeps").options),
        ("compare", lambda at: at.multiselect(key="compare-sweeps").options),
        ("launch", lambda at: at.selectbox(key="_start_from").options),
    ],
)
def test_the_names_of_sweeps_to_choose_from_stay_the_same_while_time_passes(
    fake: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch, page: str, options: Any
) -> None:
    fake.add("s", "finished", {("adam", 0.1): ["ok"] * 3})
    before = options(open_page(page))
    assert any("s, 20" in name for name in before), before
    now = ui.time.time
    monkeypatch.setattr(ui.time, "time", lambda: now() + 90)
    assert options(open_page(page)) == before, "else Streamlit forgets what was chosen"


def test_text_steers_neither_markdown_nor_the_line_around_it() -> None:
    assert ui.text("\u202e*evil*\u2028\n name") == r"\[U\+202E\]\*evil\* name"
    assert ui.text("שלום 👩‍💻") == "שלום 👩‍💻"

"""The estimate on the launch page, which never waits for it, and beside the truth when the sweep is done."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.launch import preflight
from app.shared import ui

FOUND: dict[str, Any] = {
    "trials": 2, "runs": 4, "workers": 2, "seconds": 125.0, "low": 90.0, "high": 181.0, "at_most": False,
    "disk_bytes": 2_100_000, "memory_bytes": 90e6, "problems": [], "warnings": [], "pending": False,
    "architectures": [
        {"what": "adam", "parameters": 1234, "seconds_per_epoch": 0.01234},
        {"what": "sgd", "parameters": 1234, "seconds_per_epoch": 0.01},
    ],
}  # fmt: skip


def page() -> None:
    import streamlit as st

    from app.launch import preflight

    text = st.text_input("text", "name: one", key="text")
    preflight.panel(text, ("It is wrong.",) if text == "wrong" else ())


@pytest.fixture
def opened(fake: Any) -> Any:
    """The panel of a form with one field, as the service knows `estimate`."""

    def run(estimate: dict[str, Any] | None) -> AppTest:
        fake.client.estimates = estimate
        at = AppTest.from_function(page, default_timeout=30).run()
        assert not at.exception, at.exception
        return at

    return run


def text_of(at: AppTest) -> str:
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.error])


def test_the_estimate_stands_there_in_one_line(opened: Any, fake: Any) -> None:
    at = opened(FOUND)
    assert "about 2 min on 2 workers · 2\\.1 MB on disk · 90 MB of memory" in text_of(at)
    assert list(at.dataframe[0].value["seconds_per_epoch"]) == pytest.approx([12.34, 10.0])
    at.run()
    assert fake.client.checked == ["name: one"]  # what is known is not asked again
    at.text_input(key="text").set_value("name: two").run()
    assert fake.client.checked == ["name: one", "name: two"]


def test_the_parameters_of_each_setting_are_one_sentence(opened: Any) -> None:
    counts = [{"what": "lstm", "fewest": 12345, "most": 12345}, {"what": "gru", "fewest": 12301, "most": 15000}]
    assert ui.text("Parameters: lstm 12,345 · gru 12,301 to 15,000.") in text_of(opened(FOUND | {"parameters": counts}))
    assert "Parameters" not in text_of(opened(FOUND | {"parameters": []})) + text_of(opened(FOUND))


def test_until_it_is_known_the_page_says_so_and_asks_again(opened: Any, fake: Any) -> None:
    at = opened(FOUND | {"pending": True, "seconds": None})
    assert "Estimating time, disk and memory" in text_of(at) and "workers" not in text_of(at)
    fake.client.estimates = FOUND
    at.run()
    assert "about 2 min on 2 workers" in text_of(at) and "Estimating" not in text_of(at)


def test_without_a_service_the_page_opens_and_says_when_it_comes(opened: Any) -> None:
    at = opened(None)
    assert "as soon as it runs" in text_of(at) and not at.error


def test_what_is_wrong_is_said_and_can_be_checked_again(opened: Any, fake: Any) -> None:
    wrong = "data digits: train_size: 9 is <b>not</b>."
    at = opened(FOUND | {"seconds": None, "architectures": [], "problems": [wrong]})
    assert [error.value for error in at.error] == [ui.text(wrong)]
    fake.client.estimates = FOUND
    at.button(key="preflight-again").click().run()
    assert not at.error and "about 2 min" in text_of(at)


def test_warnings_stand_below_it(opened: Any) -> None:
    assert "It needs 9 GB" in text_of(opened(FOUND | {"warnings": ["It needs 9 GB of memory."]}))


def test_a_form_with_problems_is_not_estimated(opened: Any, fake: Any) -> None:
    at = opened(FOUND)
    at.text_input(key="text").set_value("wrong").run()
    assert fake.client.checked == ["name: one"] and "about" not in text_of(at)


def runs(*times: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(times, columns=["start_time", "end_time"], dtype="float64")


def test_pauses_and_overlaps_do_not_count_as_training() -> None:
    assert preflight.trained_seconds(runs((0, 2000), (1000, 3000), (60_000, 61_000))) == 4.0
    assert preflight.trained_seconds(runs((5000, 6000), (0, 10_000), (1000, float("nan")))) == 10.0
    assert preflight.trained_seconds(runs()) == 0.0


def test_the_estimate_stands_beside_the_truth_once_the_sweep_is_done() -> None:
    row, done = {"state": "finished", "estimated": 42.0}, runs((0, 30_000), (0, 39_000))
    assert preflight.beside_truth(row, done) == "Estimated 42 s when it was launched, took 39 s."
    assert preflight.beside_truth(row | {"estimated": 180.0}, done).startswith("Estimated 3 min ")
    for other in ({"state": "running"}, {"state": "stopped"}, {"estimated": float("nan")}):
        assert preflight.beside_truth(row | other, done) == ""
    assert preflight.beside_truth(row, runs()) == ""

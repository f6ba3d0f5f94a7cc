"""The button that tests with ten examples: it asks the service, shows how far it is, and then the sentence."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.shared import ui

RESULT: dict[str, Any] = {
    "what": "mlp on digits", "verdict": "learns", "remarks": [],
    "sentence": "The code can learn: the loss of 10 examples fell from 2.31 to 0.002 in 140 steps.",
}  # fmt: skip
DONE: dict[str, Any] = {
    "problems": [], "results": [RESULT], "left_out": "", "doing": "", "share": 1.0, "pending": False,
}  # fmt: skip
PENDING = DONE | {"results": [], "doing": "mlp on digits: loss 1.2", "share": 0.25, "pending": True}


def page() -> None:
    import streamlit as st

    from app.launch import overfit

    text = st.text_input("text", "name: one", key="text")
    overfit.panel(text, ("It is wrong.",) if text == "wrong" else ())


@pytest.fixture
def at() -> AppTest:
    at = AppTest.from_function(page, default_timeout=30).run()
    assert not at.exception, at.exception
    return at


@pytest.fixture
def pressed(at: AppTest, fake: Any) -> Any:
    """The panel after its button was pressed, where the service answers so."""

    def press(answer: dict[str, Any] | None) -> AppTest:
        fake.client.overfits = answer
        at.button(key="overfit").click().run()
        assert not at.exception, at.exception
        return at

    return press


def sentences(at: AppTest) -> list[str]:
    return [element.value for element in [*at.success, *at.warning, *at.error]]


def test_nothing_is_tested_before_the_button_is_pressed(at: AppTest, fake: Any) -> None:
    assert fake.client.commands == [] and not sentences(at)
    help_text = at.button(key="overfit").help
    assert "ten training examples" in help_text and "nothing is stored" in help_text


def test_the_sentence_is_shown_and_asked_for_once(pressed: Any, fake: Any) -> None:
    at = pressed(DONE)
    assert [element.value for element in at.success] == [ui.text(RESULT["sentence"])]
    at.run()
    assert fake.client.commands == [("overfit again", "name: one"), ("overfit ask", "name: one")]
    at.text_input(key="text").set_value("name: two").run()
    assert not sentences(at), "the answer is about another form"
    at.text_input(key="text").set_value("name: one").run()
    assert sentences(at)


def test_until_then_it_says_how_far_it_is_and_can_be_stopped(pressed: Any, fake: Any) -> None:
    at = pressed(PENDING)
    assert any("loss 1" in str(element.proto) for element in at.get("progress"))
    fake.client.overfits = DONE
    at.run()
    assert sentences(at) and not at.get("progress")
    at = pressed(PENDING)
    at.button(key="overfit-stop").click().run()
    assert fake.client.commands[-1] == ("overfit stop", "name: one")
    assert not at.get("progress") and not sentences(at)


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [("other_optimizer", "warning"), ("too_simple", "warning"), ("stuck", "warning"), ("broken", "error")],
)
def test_what_cannot_learn_looks_like_it(verdict: str, kind: str, pressed: Any) -> None:
    at = pressed(DONE | {"results": [RESULT | {"verdict": verdict, "remarks": ["Switched off: l2."]}]})
    assert len(at.get(kind)) == 1 and not at.success
    assert ui.text("Switched off: l2.") in [caption.value for caption in at.caption]


def test_several_models_are_named_and_markup_stays_text(pressed: Any) -> None:
    at = pressed(
        DONE | {"results": [RESULT, RESULT | {"what": "<b>my_net</b> on iris"}], "left_out": "2 more were not tested."}
    )
    first, second = (element.value for element in at.success)
    assert first.startswith("**mlp on digits:**") and ui.text("<b>my_net</b> on iris") in second
    assert ui.text("2 more were not tested.") in [caption.value for caption in at.caption]


def test_what_is_wrong_with_the_sweep_is_said(pressed: Any) -> None:
    problem = "data digits: train_size: 9 is <b>not</b>."
    at = pressed(DONE | {"results": [], "problems": [problem]})
    assert [error.value for error in at.error] == [ui.text(problem)]


def test_without_a_service_it_says_when_the_test_comes(pressed: Any) -> None:
    at = pressed(None)
    assert any("as soon as it runs" in caption.value for caption in at.caption) and not sentences(at)


def test_a_form_with_problems_cannot_be_tested(at: AppTest) -> None:
    at.text_input(key="text").set_value("wrong").run()
    assert not at.button

"""Optimizers, as a student does it: from the offer to the launch, to the verdict, through every figure."""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600), pytest.mark.xdist_group("browser")]


def test_the_lab_is_launched_and_its_verdict_protocol_and_figures_are_read(visit, dashboard, uri):
    visitor = visit(dashboard).open("/optimizers")
    page = visitor.page
    visitor.says("Which way of descending").says("optimizers-on-digits")
    page.get_by_role("button", name=re.compile("Launch")).first.wait_for()
    assert page.locator(".js-plotly-plot").count() >= 2, "the explorers need no run"

    # The lab as it is but shorter: a seed a trial in the search, the winners with their ten fresh ones.
    visitor.open("/launch?lab=optimizers-on-digits")
    visitor.fill("max_epochs", "2").fill("seeds", "1").says("seeds: 1").says("max_epochs: 2")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    sweep = visitor.finished(uri)["sweep"]

    visitor.open(f"/optimizers?sweep={sweep}")
    heading = page.get_by_role("heading", level=2).first.inner_text()
    assert re.search(r"(sgd|momentum|rmsprop|adam)", heading) and "val/loss" in heading, heading
    assert "exact" in heading or "Holm" in heading, heading
    visitor.says("The claim: Momentum comes lower").says("judged by fresh seeds")
    said = visitor.text()
    assert "rules of the protocol hold" in said and "10 fresh seeds each." in said and "9 trials each." in said
    table = visitor.cells()
    assert {row[0] for row in table} == {"sgd", "momentum", "rmsprop", "adam"}
    assert all("0.0003 to 3, logarithmic" in row[-1] for row in table)

    for name, words in {
        "Curves": "each method|Thin lines are seeds", "Learning rate": "Best optimizer.lr", "Budget": "With 5 trials",
        "Target": "val/loss .* is reached|No run reached", "Inside": "How steep the loss is",
        "Explore": "Which way does",
    }.items():  # fmt: skip
        page.get_by_role("tab", name=name, exact=True).click()
        visitor.settle().says(words)
        page.locator(".js-plotly-plot").first.wait_for()
    page.get_by_role("tab", name="Inside", exact=True).click()
    visitor.settle().choose("Gradient by layer").says("The first layer's gradient")
    page.get_by_role("tab", name="Budget", exact=True).click()
    csv = visitor.settle().download("csv-budget").decode()
    assert csv.startswith("# Expected best val/loss") and "sgd,1," in csv

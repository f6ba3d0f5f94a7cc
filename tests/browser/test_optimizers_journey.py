"""Optimizers, as a student does it: from the offer to the launch, to the verdict, through every figure."""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def sees_the_offer(visitor):
    """Open the page without runs: its question, its labs and the explorers."""
    visitor.open("/optimizers").says("Which way of descending").says("optimizers-on-digits")
    visitor.page.get_by_role("button", name=re.compile("Launch")).first.wait_for()
    assert visitor.page.locator(".js-plotly-plot").count() >= 2, "the explorers need no run"


def reads_the_verdict(visitor, sweep, *, trials, fresh_seeds, budget):
    """Read verdict, protocol and every figure of optimizers-on-digits."""
    page = visitor.page
    visitor.open(f"/optimizers?sweep={sweep}")
    heading = page.get_by_role("heading", level=2).first.inner_text()
    assert re.search("Supported|Refuted|Undecided|Too few|claims: ", heading), heading
    visitor.says("Momentum comes lower").says("judged by fresh seeds")
    text = visitor.text()
    assert "val/loss" in text and "exact" in text
    assert "rules of the protocol hold" in text
    assert f"{fresh_seeds} fresh seeds each." in text and f"{trials} trials each." in text
    table = visitor.cells()
    assert {row[0] for row in table} == {"sgd", "momentum", "rmsprop", "adam"}
    assert all("0.0003 to 3, logarithmic" in row[-1] for row in table)

    for name, words in {
        "Curves": "each method|Thin lines are seeds",
        "Learning rate": "Best optimizer.lr",
        "Budget": f"With {budget} trials",
        "Target": "val/loss .* is reached|No run reached",
        "Inside": "How steep the loss is",
        "Explore": "Which way does",
    }.items():
        page.get_by_role("tab", name=name, exact=True).click()
        visitor.settle().says(words)
        page.locator(".js-plotly-plot").first.wait_for()
    page.get_by_role("tab", name="Inside", exact=True).click()
    visitor.settle().choose("Gradient by layer").says("The first layer's gradient")
    page.get_by_role("tab", name="Budget", exact=True).click()
    csv = visitor.settle().download("csv-budget").decode()
    assert csv.startswith("# Expected best val/loss") and "sgd,1," in csv


def test_the_verdict_protocol_and_figures_of_the_lab_are_read(visitor, trained):
    sees_the_offer(visitor)
    reads_the_verdict(visitor, trained.sweeps["short-optimizers-on-digits"], trials=3, fresh_seeds=2, budget=3)


@pytest.mark.slow
def test_the_lab_is_launched_and_its_verdict_protocol_and_figures_are_read(visit, dashboard, uri):
    visitor = visit(dashboard)
    sees_the_offer(visitor)

    # The lab as it is but shorter: one seed per trial in the search, the winners with their ten fresh ones.
    visitor.open("/launch?lab=optimizers-on-digits")
    visitor.fill("max_epochs", "2").fill("seeds", "1").says("seeds: 1").says("max_epochs: 2")
    visitor.page.get_by_role("button", name="Launch", exact=True).click()
    visitor.page.wait_for_url("**/sweep?sweep=*")
    reads_the_verdict(visitor, visitor.finished(uri)["sweep"], trials=9, fresh_seeds=10, budget=5)

"""Regularization, as a user does it: launch a ready-made sweep from its page, then read its verdict there."""

import json
import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
LAB = "decision-regions"
TABS = {
    "Strength": r"inside the range tried|wider range",
    "Against none": r"Left of zero a regularizer errs less",
    "Path": r"weight norm from .* to .* lower",
    "Weights": r"nine weights in ten",
    "Early stopping": r"would have chosen epoch",
    "Training mode": r"The loss in training mode at the last epoch",
    "Factorial": r"two or more params were crossed",
    "Regions": r"the boundary of a seed is .* as long as a side",
}
"""Tab -> a text in it about that lab."""


def reads_the_verdict(visitor, visit, dashboard, sweep, name, *, strengths, seeds, verdict):
    """Choose a sweep of the lab by its name on the page, read its verdict and every tab."""
    page = visitor.page
    visitor.open("/regularization")
    page.get_by_role("combobox", name=re.compile("Sweeps$")).first.click()
    page.keyboard.type(name)  # a click on an option for which the list has to be scrolled may not count
    page.get_by_role("option", name=re.compile(f"^{name}")).first.click()
    page.get_by_test_id("stMultiSelect").get_by_text(re.compile(f"^{name}")).first.wait_for()
    page.locator("h1").click()  # an open list hides all else from those who ask for roles
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(f"**/regularization?sweep={sweep}*")
    visitor.settle().says("An L2 penalty of 0.01 lowers the validation error")
    headline = page.locator("h2").first.inner_text()
    assert re.search(verdict, headline), headline
    for tab, text in TABS.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        visitor.settle().says(text)
    assert page.locator(".js-plotly-plot").count() == strengths, "one panel per strength"

    # The address leads another visitor to the same figure and its numbers.
    copied = visit(dashboard).open(page.url.removeprefix(dashboard.url))
    copied.says(TABS["Regions"])
    table = copied.download("csv-regions").decode()
    assert table.startswith("# ") and len(table.splitlines()) == 2 + strengths * seeds
    types = json.loads(page.evaluate("JSON.stringify(document.querySelector('.js-plotly-plot').data.map(t => t.type))"))
    assert {"image", "contour", "scatter"} <= set(types)


def test_the_verdict_of_a_lab_is_read(visitor, visit, trained):
    visitor.open("/regularization").says("Which restraint makes a network err less")
    visitor.page.locator(f".st-key-offer-{LAB} button").first.wait_for()
    reads_the_verdict(
        visitor,
        visit,
        trained.dashboard,
        trained.sweeps[f"short-{LAB}"],
        f"short-{LAB}",
        strengths=3,
        seeds=2,
        verdict="Too few seeds An L2 penalty",
    )


@pytest.mark.slow
def test_a_lab_is_launched_from_the_page_and_its_verdict_read_there(visit, dashboard, uri):
    visitor = visit(dashboard).open("/regularization")
    page = visitor.page
    visitor.says("Which restraint makes a network err less").press(f"offer-{LAB}")
    page.wait_for_url("**/sweep?sweep=*")
    sweep = visitor.finished(uri)
    assert (sweep["name"], sweep["ok"]) == (LAB, sweep["planned"])
    reads_the_verdict(visitor, visit, dashboard, sweep["sweep"], LAB, strengths=5, seeds=8, verdict="3 claims: ")

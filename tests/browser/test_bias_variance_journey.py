"""Bias and variance, as a student does it: launch from the page, read the diagnosis, take the error apart."""

import json
import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def tab(visitor, name):
    visitor.page.get_by_role("tab", name=name, exact=True).click()
    visitor.settle()
    return visitor


def traces(page, place=0):
    """The names of the traces of a chart."""
    page.locator(".js-plotly-plot").nth(place).wait_for()
    script = "place => JSON.stringify(document.querySelectorAll('.js-plotly-plot')[place].data.map(t => t.name))"
    return set(json.loads(page.evaluate(script, place)))


def reads_what_more_examples_cure(visitor, visit, dashboard, sweep, *, sizes, seeds):
    """Read the diagnosis and the learning curve of training-set-size, with `sizes` sizes from 25 to 800 examples."""
    page = visitor.page
    visitor.open(f"/bias_variance?sweep={sweep}")
    headline = page.locator("h2").first.inner_text()
    assert re.fullmatch(r"2 claims: .+\.", headline), headline
    visitor.says(r"suffers? from (avoidable bias|variance)")
    visitor.says("800 training examples give a lower validation error than 100")
    visitor.says(f"All {sizes} groups").says(f"Holm's correction for {2 * sizes} gaps")
    assert page.locator(".js-plotly-plot").count() == 2, "the waterfall and the gaps"
    visitor.pick("Waterfall of", "train_size 25").says("Against variance").says("more training data")
    visitor.fill("A gap matters from", "5").says("no fault above the threshold 5")

    tab(visitor, "Learning curve")
    visitor.says(rf"At 800 examples validation error is .*above training error \(n={seeds} seeds\)")
    visitor.fill("A gap matters from", "0.5").fill("Reference error", "0.01").says("exceeds the threshold 0.5")
    names = traces(page)
    assert {"val/error", "reference error 0.01"} <= names
    assert any("clean_error" in str(name) for name in names), "a tenth of its labels is wrong"
    copied = visit(dashboard).open(page.url.removeprefix(dashboard.url)).says("exceeds the threshold 0.5")
    table = copied.download("csv-learning").decode()
    assert table.startswith("# ") and len(table.splitlines()) == 2 + 2 * sizes * seeds
    tab(visitor, "Decomposition").says("This is the whole risk. These runs were not replicated")


def test_a_lab_says_what_more_examples_cure(visitor, visit, trained):
    visitor.open("/bias_variance").says("too simple for its task")
    visitor.page.locator(".st-key-offer-training-set-size button").first.wait_for()
    sweep = trained.sweeps["short-training-set-size"]
    reads_what_more_examples_cure(visitor, visit, trained.dashboard, sweep, sizes=3, seeds=3)


@pytest.mark.slow
def test_a_lab_is_launched_from_the_page_and_says_what_more_examples_cure(visit, dashboard, uri):
    visitor = visit(dashboard).open("/bias_variance")
    page = visitor.page
    visitor.says("too simple for its task")
    page.locator(".st-key-offer-training-set-size button").first.click()  # to a page that does not settle
    page.wait_for_url("**/sweep?sweep=*")
    sweep = visitor.finished(uri)
    assert (sweep["name"], sweep["ok"]) == ("training-set-size", sweep["planned"])
    reads_what_more_examples_cure(visitor, visit, dashboard, sweep["sweep"], sizes=6, seeds=8)


def reads_the_decomposition(visitor, sweep, *, datasets, inits, widths):
    """Read the decomposition of a replicated sweep of several widths."""
    page = visitor.page
    visitor.open(f"/bias_variance?sweep={sweep}&look=Decomposition")
    visitor.says(r"From model\.hidden_sizes .* to .* bias² goes from .* variance from initialisation goes from")
    visitor.says(f"jackknife over n={datasets} training sets").says(
        r"(Supported|Refuted|Undecided|Too few|Not yet)|claims: "
    )
    parts = {"noise", "bias²", "variance from data", "variance from initialisation", "risk, measured"}
    assert parts <= traces(page)
    visitor.choose("2").says("the squared error is lowest at")
    table = visitor.download("csv-decomposition").decode().splitlines()
    assert len({line.split(",")[0] for line in table[2:]}) == widths
    assert len(table) == 2 + 5 * widths and table[0].startswith("# The squared error on 501 test examples")

    tab(visitor, "Fits").says("Most of the error beyond the noise is")
    assert {"f", f"mean of {datasets * inits} fits", "bias²"} <= traces(page)


def test_a_replicated_sweep_is_taken_apart(visitor, trained):
    reads_the_decomposition(visitor, trained.sweeps["short-decomposition"], datasets=3, inits=2, widths=3)


@pytest.mark.slow
def test_a_replicated_sweep_is_launched_and_taken_apart(visit, dashboard, uri):
    # The lab as it is but smaller: four training sets with two initialisations each.
    visitor = visit(dashboard).open("/launch?lab=decomposition")
    page = visitor.page
    visitor.fill("max_epochs", "30").fill("datasets", "4").fill("inits", "2").says("max_epochs: 30").says("inits: 2")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    reads_the_decomposition(visitor, visitor.finished(uri)["sweep"], datasets=4, inits=2, widths=4)

"""Search in full, as a person does it: configure TPE with pruning and confirm, check, launch, extend, duplicate."""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(500), pytest.mark.xdist_group("browser")]


def test_tpe_with_pruning_and_confirm_is_configured_checked_launched_extended_and_duplicated(visit, dashboard):
    visitor = visit(dashboard).open("/launch")
    page = visitor.page
    visitor.fill("name", "found-by-tpe")
    visitor.fill("max_epochs", "8")
    visitor.fill("Values of optimizer.lr", "0.001, 0.01, 0.1, 1.0") if not page.get_by_label("steps").count() else None
    visitor.pick("sampler", "tpe")
    visitor.fill("trials", "6")
    visitor.pick("pruner", "median")
    visitor.fill("seeds", "2")
    page.get_by_text("Confirm the winners").first.click()
    visitor.settle()
    visitor.pick("winners of", "each optimizer.name")
    page.get_by_label("seeds", exact=True).nth(1).fill("2")
    page.keyboard.press("Enter")
    visitor.settle()
    visitor.says(r"sampler: tpe").says(r"confirm: \{").says(r"up to")

    visitor.says(r"about .* s|about .* min|\d+ s on", seconds=120)  # the check, from steps that were really timed
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    sweep = page.url
    visitor.says("^Finished$", seconds=200)
    visitor.says("to confirm|Confirmed|confirm").says(r"stimated .* took")

    visitor.unfold("Extend")
    visitor.fill("More trials", "2")
    page.get_by_role("button", name="Extend the sweep").click()
    visitor.says("^(Queued|Running)$", seconds=30).says("^Finished$", seconds=200)
    visitor.says(r"trials 6 → 8")

    page.get_by_role("button", name="Duplicate").click()
    page.wait_for_url("**/launch?copy=*")
    visitor.settle().says(r"sampler: tpe").says(r"trials: 8").says("pruner: median")
    assert re.search(r"sweep=[0-9a-f]{32}", sweep)

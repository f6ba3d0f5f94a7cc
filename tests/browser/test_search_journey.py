"""Search in full, as a user does it: configure TPE with pruning and confirm, check, launch, extend, duplicate."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(500)]


def configures(visitor):
    """Fill in the form, and wait until the check has timed it."""
    visitor.open("/launch")
    page = visitor.page
    visitor.fill("name", "found-by-tpe")
    visitor.fill("max_epochs", "8")
    visitor.pick("sampler", "tpe")
    visitor.fill("trials", "6")
    visitor.pick("pruner", "median")
    visitor.fill("seeds", "2")
    page.get_by_text("Confirm the winners").first.click()
    visitor.settle()
    visitor.pick("per", "optimizer.name")
    confirm_seeds = page.get_by_label("seeds", exact=True).nth(1)
    confirm_seeds.fill("2")
    confirm_seeds.press("Enter")
    visitor.settle().says("sampler: tpe").says("pruner: median").says(r"up to").says("to confirm")
    visitor.says(r"(s|min|h) on \d+ workers?")  # the estimate of the check, from steps that were really timed


def extends_and_duplicates(visitor, uri, *, trials):
    """Read the page of a sweep with this number of trials, add two trials, duplicate it into the form."""
    page = visitor.page
    visitor.says("^Finished$", seconds=200).says("Search and confirm").says(r"Estimated .* took")

    visitor.unfold("Extend")
    visitor.fill("More trials", "2")
    page.get_by_role("button", name="Extend the sweep").click()
    visitor.wait_for_sweep(uri, lambda row: row["trials"] == trials + 2 and row["state"] == "finished")
    visitor.settle().says("^Finished$")

    page.get_by_role("link", name="Duplicate").click()
    page.wait_for_url("**/launch?copy=*")
    visitor.settle().says("sampler: tpe").says(f"trials: {trials + 2}").says("pruner: median")


def test_tpe_with_pruning_and_confirm_is_configured_and_checked(visitor):
    configures(visitor)


def test_a_sweep_by_tpe_with_pruning_and_confirm_is_extended_and_duplicated(visitor, trained):
    visitor.open(f"/sweep?sweep={trained.sweeps['found-by-tpe']}")
    extends_and_duplicates(visitor, trained.uri, trials=4)


@pytest.mark.slow
def test_tpe_with_pruning_and_confirm_is_configured_checked_launched_extended_and_duplicated(visit, dashboard, uri):
    visitor = visit(dashboard)
    configures(visitor)
    visitor.page.get_by_role("button", name="Launch", exact=True).click()
    visitor.page.wait_for_url("**/sweep?sweep=*")
    extends_and_duplicates(visitor, uri, trials=6)

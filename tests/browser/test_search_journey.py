"""Search in full, as a person does it: configure TPE with pruning and confirm, check, launch, extend, duplicate."""

import time

import pytest

from tracking.reader import open_reader, sweeps

pytestmark = [pytest.mark.browser, pytest.mark.timeout(500), pytest.mark.xdist_group("browser")]


def test_tpe_with_pruning_and_confirm_is_configured_checked_launched_extended_and_duplicated(visit, dashboard, uri):
    visitor = visit(dashboard).open("/launch")
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

    visitor.says(r"(s|min) on \d+ workers?")  # the check, from steps that were really timed
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    visitor.says("^Finished$", seconds=200).says("Search and confirm").says(r"Estimated .* took")

    visitor.unfold("Extend")
    visitor.fill("More trials", "2")
    page.get_by_role("button", name="Extend the sweep").click()
    end = time.monotonic() + 200
    while (row := sweeps(open_reader(uri)).iloc[0])["trials"] != 8 or row["state"] != "finished":
        assert time.monotonic() < end, dict(row)
        time.sleep(0.5)
    visitor.settle().says("^Finished$")

    page.get_by_role("link", name="Duplicate").click()
    page.wait_for_url("**/launch?copy=*")
    visitor.settle().says("sampler: tpe").says("trials: 8").says("pruner: median")

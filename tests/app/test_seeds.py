"""One number of further seeds on every page that judges the same runs, and on the command line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from analysis.statistics.seeds import MOST_COMPARED
from app.shared import ui
from sweeps.cli.output import verdict_lines
from sweeps.cli.verdicts import verdicts
from sweeps.spec import SpecError, parse

REST = """\
  optimizer.lr: {values: [0.01, 0.1]}
seeds: 3
"""
CLAIM = "claim: {text: Adam wins., better: {optimizer.name: adam}, than: {optimizer.name: sgd}}\n"


def command_line(fake: Any, text: str) -> str:
    """What `sweepboard show` says of the made-up sweep."""
    reader: Any = SimpleNamespace(histories=lambda run_ids, keys: fake.histories(tuple(run_ids), keys[0]))
    try:
        spec = parse(text)
    except SpecError:
        spec = None
    return "\n".join(verdict_lines(verdicts(reader, fake.rows[0], fake.runs_of["s"], spec)))


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_a_claim_lacks_as_many_seeds_on_every_page(fake: Any, open_page: Any, words: Any, seeds: int) -> None:
    fake.spec = fake.two_optimizers + REST + CLAIM
    fake.add("s", "finished", {("adam", 0.01): ["ok"] * seeds, ("sgd", 0.01): ["ok"] * seeds})
    sentence = f"at least {6 - seeds} more make{'s' if seeds == 5 else ''} a verdict possible"
    assert f"Adam wins. [too few seeds] Too few seeds: {sentence} between adam and sgd" in command_line(fake, fake.spec)
    for page in ("sweep", "compare", "optimizers"):
        text = words(open_page(page, sweep="s"))
        assert ui.text(sentence) in text, page
        assert text.count(" more make") == text.count(ui.text(sentence)), f"{page} names one number"


@pytest.mark.parametrize("seeds", [3, 6, 7])
def test_configurations_lack_as_many_seeds_on_every_page(fake: Any, open_page: Any, words: Any, seeds: int) -> None:
    """Four configurations are six pairs, which take eight seeds."""
    grid = {(name, lr): ["ok"] * seeds for name in ("adam", "sgd") for lr in (0.01, 0.1)}
    fake.add("s", "finished", grid, seeds=seeds)
    sentence = f"Too few seeds: at least {8 - seeds} more a group make{'s' if seeds == 7 else ''} a verdict possible"
    assert sentence in command_line(fake, fake.spec)
    for page in ("sweep", "compare"):
        assert ui.text(sentence) in words(open_page(page, sweep="s")), page


@pytest.mark.parametrize("groups", [MOST_COMPARED, MOST_COMPARED + 1])
def test_so_many_configurations_are_too_many_on_every_page(fake: Any, open_page: Any, words: Any, groups: int) -> None:
    """The page of a sweep once decided what Compare called too many."""
    lrs = list(range(1, groups + 1))
    fake.spec = fake.two_optimizers.replace("adam, sgd", "adam") + REST.replace("[0.01, 0.1]", str(lrs))
    fake.add("s", "finished", {("adam", float(lr)): ["ok"] * 3 for lr in lrs})
    for text in (
        words(open_page("sweep", sweep="s")),
        words(open_page("compare", sweep="s")),
        command_line(fake, fake.spec),
    ):
        assert ("are too many to compare all pairs" in text) == (groups > MOST_COMPARED)
        assert ("on at least one of" in text) == (groups <= MOST_COMPARED)
    fake.rows[0]["state"] = "running"
    text = words(open_page("sweep", sweep="s"))
    assert ("are too many to compare all pairs" in text) == (groups > MOST_COMPARED)


def test_the_panel_of_one_pair_has_one_test(fake: Any, open_page: Any, words: Any) -> None:
    """A group whose runs all diverged is compared by ranks: their test has the p and the least p."""
    fake.add("s", "finished", {("adam", 0.01): ["ok"] * 3, ("sgd", 0.01): ["diverged"] * 3})
    text = words(open_page("compare", sweep="s"))
    assert ui.text("exact worst-rank sign-flip test") in text
    for name in ("Exact p", "Least p possible", "More seeds"):
        assert name in text
    assert f"**{ui.text('0.25')}**  \n:small[:gray[{ui.text('with n=3')}]]" in text
    assert f"**at least 3**  \n:small[:gray[{ui.text('make a verdict possible')}]]" in text


def test_a_sweep_that_trains_names_what_it_lacks_when_all_its_seeds_are_there(
    fake: Any, open_page: Any, words: Any
) -> None:
    fake.spec = fake.two_optimizers + REST
    fake.add("s", "running", {("adam", 0.01): ["ok"], ("sgd", 0.1): ["ok", "running"]})
    sentence = "Too few seeds: at least 5 more make a verdict possible, as exact tests of 6 pairs of configurations"
    assert ui.text(sentence) in words(open_page("sweep", sweep="s")) and command_line(fake, fake.spec) == ""

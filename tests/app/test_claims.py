"""The claims of a sweep on its page: the verdict of its runs as a badge, the reason, and what cannot be judged yet."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.runs.comparison import comparison
from app.shared import selection, ui

CLAIM = "Adam comes lower than plain gradient descent."
SPEC = f"""
name: x
model: {{name: mlp}}
data: {{name: digits}}
search:
  optimizer.name: {{values: [adam, sgd]}}
  optimizer.lr: {{values: [0.01, 0.1]}}
seeds: 8
claim: {{text: "{CLAIM}", better: {{optimizer.name: adam}}, than: {{optimizer.name: sgd}}}}
workers: 2
"""
OPPOSITE = SPEC.replace(
    "{optimizer.name: adam}, than: {optimizer.name: sgd}", "{optimizer.name: sgd}, than: {optimizer.name: adam}"
)
ADAM_FIRST = {("adam", 0.01): ["ok"] * 8, ("sgd", 0.1): ["ok"] * 8}


VERDICTS = ("[Supported", "[Refuted", "[Undecided", "[Too few", "[Not yet")


def badges(at: Any) -> list[str]:
    """What heads the page of a sweep with one claim."""
    lines = [element.value for element in at.markdown if any(verdict in element.value for verdict in VERDICTS)]
    assert all(line.startswith("## :") for line in lines)
    return [line.removeprefix("## ") for line in lines]


@pytest.mark.parametrize(
    ("spec", "seeds", "state", "badge"),
    [
        (SPEC, 8, "finished", ":green-badge[Supported]"),
        (OPPOSITE, 8, "finished", ":red-badge[Refuted]"),
        (SPEC, 3, "finished", ":gray-badge[Too few seeds]"),
        (SPEC, 8, "running", ":green-badge[Supported so far]"),
    ],
)
def test_the_badge_is_the_verdict(
    fake: Any, open_page: Any, words: Any, spec: str, seeds: int, state: str, badge: str
) -> None:
    fake.spec = spec
    fake.add("s", state, {key: ["ok"] * seeds for key in ADAM_FIRST}, seeds=8)
    at = open_page("sweep", sweep="s")
    assert badges(at) == [f"{badge} {ui.text(CLAIM)}"]
    reason = {
        "green": "adam is better than sgd",
        "red": "sgd is worse than adam",
        "gray": "Too few seeds: at least 3 more",
    }
    assert ui.text(reason[badge[1:].partition("-")[0]]) in words(at)


def test_compare_reads_the_params_of_its_runs_once(fake: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def counted(*frames: Any) -> Any:
        built.append(comparison(*frames))
        return built[-1]

    monkeypatch.setattr(selection, "comparison", counted)
    fake.spec = SPEC
    fake.add("s", "finished", ADAM_FIRST, seeds=8)
    assert badges(open_page("compare", sweep="s")) == [f":green-badge[Supported] {ui.text(CLAIM)}"]
    assert len(built) == 1


def test_without_results_it_says_what_is_missing(fake: Any, open_page: Any, words: Any) -> None:
    fake.spec = SPEC
    fake.add("s", "running", {("adam", 0.01): ["ok"] * 3})
    at = open_page("sweep", sweep="s")
    assert badges(at)[0].startswith(":gray-badge[Not yet] ")
    assert ui.text("There is no result yet with sgd.") in words(at)


def test_a_sweep_without_runs_says_not_yet(fake: Any, open_page: Any) -> None:
    fake.spec = SPEC
    fake.add("s", "queued", {})
    assert badges(open_page("sweep", sweep="s"))[0].startswith(":gray-badge[Not yet] ")


def test_nothing_is_said_where_nothing_is_claimed_or_the_spec_cannot_be_read(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", ADAM_FIRST)
    for spec in (SPEC.partition("claim:")[0] + "workers: 2", "# This sweep's specification cannot be read: gone"):
        fake.spec = spec
        assert badges(open_page("sweep", sweep="s")) == []


def test_runs_that_do_not_count_are_left_out(fake: Any, open_page: Any, words: Any) -> None:
    fake.spec = SPEC
    fake.add("s", "finished", ADAM_FIRST)
    runs = fake.runs_of["s"]
    runs.loc[(runs["optimizer.name"] == "sgd"), "counts"] = False
    assert badges(open_page("sweep", sweep="s"))[0].startswith(":gray-badge[Not yet] ")


def test_another_metric_than_the_objective_is_read_from_the_histories(fake: Any, open_page: Any, words: Any) -> None:
    """The made-up histories end at 0.2 in every run: no difference."""
    fake.spec = SPEC.replace("than: {optimizer.name: sgd}", "than: {optimizer.name: sgd}, metric: val/error")
    fake.add("s", "finished", ADAM_FIRST)
    at = open_page("sweep", sweep="s")
    assert badges(at)[0].startswith(":gray-badge[Undecided] ")
    assert ui.text("val/error is the same in all 8 paired seeds") in words(at)


def test_the_text_of_a_claim_is_text(fake: Any, open_page: Any, bare: Any) -> None:
    nasty = "<img src=x> [link](http://x) **bold** :material/bug: :red[r] $x$"
    fake.spec = SPEC.replace(CLAIM, nasty)
    fake.add("s", "finished", ADAM_FIRST)
    at = open_page("sweep", sweep="s")
    bare(badges(at))


TWO = SPEC.replace("claim: {", "claim:\n- {").replace(
    "workers: 2", '- {text: "Not so.", better: {optimizer.name: sgd}, than: {optimizer.name: adam}}\nworkers: 2'
)
PAGES = ("sweep", "compare", "optimizers", "regularization", "bias_variance")


@pytest.mark.parametrize("page", PAGES)
def test_the_claim_heads_every_page_and_no_other_verdict_stands_beside_it(
    fake: Any, open_page: Any, words: Any, page: str
) -> None:
    """Three words for one pair once stood on two pages: too few seeds, undecided, supported."""
    fake.spec = SPEC
    runs = {(name, lr): ["ok"] * 8 for name in ("adam", "sgd") for lr in (0.01, 0.1)}
    fake.add("s", "finished", runs, seeds=8)
    at = open_page(page, sweep="s")
    heads = [element.value for element in at.main.markdown if element.value.startswith("## ")]
    assert heads == [f"## :green-badge[Supported] {ui.text(CLAIM)}"]
    assert "**Undecided" not in words(at) and "**Too few" not in words(at)


@pytest.mark.parametrize("page", PAGES)
def test_several_claims_are_counted_and_listed(fake: Any, open_page: Any, words: Any, page: str) -> None:
    fake.spec = TWO
    fake.add("s", "finished", ADAM_FIRST, seeds=8)
    at = open_page(page, sweep="s")
    heads = [element.value for element in at.main.markdown if element.value.startswith("## ")]
    assert heads == ["## 2 claims: 1 supported and 1 refuted."]
    text = words(at)
    assert f":green-badge[Supported] {ui.text(CLAIM)}" in text and f":red-badge[Refuted] {ui.text('Not so.')}" in text


def test_ties_share_a_place_and_nothing_is_the_lowest_of_a_tie(fake: Any, open_page: Any, words: Any) -> None:
    """Three configurations, of which the last alone is told apart: which of the others is lower changes by seed."""
    rising = [seed / 100 for seed in range(8)]
    objectives = {
        ("adam", 0.01): [0.1 + noise for noise in rising],
        ("adam", 0.02): [0.101 + noise + (0.02 if seed % 2 else -0.02) for seed, noise in enumerate(rising)],
        ("sgd", 1.0): [0.9 + noise for noise in rising],
    }
    fake.add("s", "finished", {configuration: ["ok"] * 8 for configuration in objectives}, objectives, seeds=8)
    sweep, compare = open_page("sweep", sweep="s"), open_page("compare", sweep="s")
    ranking = next(frame.value for frame in sweep.dataframe if "remarks" in frame.value)
    standings = next(frame.value for frame in compare.dataframe if "cannot be told" in str(frame.proto.columns))
    assert ranking["place"].tolist() == standings["place"].tolist() == ["1–2", "1–2", "3"]
    for page in (sweep, compare):
        (head,) = [element.value for element in page.main.markdown if element.value.startswith("## ")]
        assert "cannot be told from" in head and "lowest" not in words(page)


def test_the_one_pair_that_is_claimed_is_not_told_twice_on_compare(fake: Any, open_page: Any, words: Any) -> None:
    fake.spec = SPEC
    fake.add("s", "finished", {(name, 0.01): ["ok"] * 8 for name in ("adam", "sgd")}, seeds=8)
    assert words(open_page("compare", sweep="s")).count("adam is better than sgd") == 2, "at the head, and of one pair"

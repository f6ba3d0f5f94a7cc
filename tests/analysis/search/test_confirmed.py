"""Search and confirm: the shrinkage against scipy's Welch interval, and which runs a winner is judged by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.runs.comparison import comparison, groups_of
from analysis.search.confirmed import answer, confirmed_info, confirms, judged_by_confirm, plot_confirmed, table
from analysis.statistics.samples import samples

KEYS = ["optimizer.name", "optimizer.lr"]
SEARCH = {0: [0.10, 0.12, 0.11], 1: [0.13, 0.15, 0.14], 2: [0.5, 0.6, 0.7]}
CONFIRM = {0: [0.16, 0.18, 0.17, 0.15], 1: [0.14, 0.15, 0.13, 0.14]}
OPTIMIZERS = {0: ("adam", 0.01), 1: ("sgd", 0.1), 2: ("sgd", 1.0)}


def run(trial: int, seed: int, phase: str, value: float, **more: Any) -> dict[str, Any]:
    """One row of a frame of runs."""
    name, lr = OPTIMIZERS[trial]
    return {
        "run_id": f"{phase}-{trial}-{seed}", "group": f"{phase}{trial}", "trial": trial, "seed": seed, "phase": phase,
        "outcome": "ok", "counts": True, "objective": value, "optimizer.name": name, "optimizer.lr": lr, **more,
    }  # fmt: skip


def frame(search: dict[int, list[float]] = SEARCH, confirm: dict[int, list[float]] = CONFIRM) -> pd.DataFrame:
    rows = [run(trial, k, "search", value) for trial, values in search.items() for k, value in enumerate(values)]
    rows += [
        run(trial, 1000 + k, "confirm", value) for trial, values in confirm.items() for k, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def info_of(runs: pd.DataFrame, direction: str = "minimize", per: str | None = None) -> Any:
    return confirmed_info(runs, KEYS, metric="val/loss", direction=direction, per=per)


def test_the_shrinkage_is_the_difference_of_means_with_welchs_interval() -> None:
    info = info_of(frame())
    for winner in info.winners:
        search, confirm = SEARCH[winner.group.trial], CONFIRM[winner.group.trial]
        assert winner.shrinkage.interval.mean == pytest.approx(np.mean(confirm) - np.mean(search))
        theirs = stats.ttest_ind(confirm, search, equal_var=False).confidence_interval(0.95)
        assert (winner.shrinkage.interval.low, winner.shrinkage.interval.high) == pytest.approx(tuple(theirs))


def test_winners_rank_by_their_confirm_runs_alone() -> None:
    info = info_of(frame())
    assert [winner.group.trial for winner in info.winners] == [1, 0], "the search had them the other way round"
    assert info.winners[0].group.interval.mean == pytest.approx(0.14)
    assert info.winners[0].confirm.paired_on == "seed", "the winners share their fresh seeds"
    text = answer(info, over=True)
    assert text.startswith("sgd, lr 0.1 leads 2 confirmed winners with val/loss 0.140")
    assert "n=4, fresh seeds" in text


def test_where_more_is_better_a_lower_confirm_score_is_what_shrank() -> None:
    info = info_of(frame(), direction="maximize")
    gap = {winner.group.trial: winner.shrinkage.interval.mean for winner in info.winners}
    assert gap[0] == pytest.approx(np.mean(SEARCH[0]) - np.mean(CONFIRM[0])) and gap[0] < 0
    assert "better than in the search" in info.sentence and answer(info, over=True).startswith("adam, lr 0.01 leads")


def test_the_sentence_says_how_much_and_whether_chance_explains_it() -> None:
    worse = info_of(frame(confirm={0: CONFIRM[0]})).sentence
    assert worse.startswith("With fresh seeds adam, lr 0.01 is 0.055 ±") and "worse than in the search" in worse
    assert "spread over seeds" not in worse
    assert "which the spread over seeds can explain" in info_of(frame(confirm={1: CONFIRM[1]})).sentence
    single = info_of(frame(search={0: [0.1]}, confirm={0: CONFIRM[0]})).sentence
    assert "(1 and 4 seeds: too few for an interval)" in single and "±" not in single
    same = info_of(frame(search={0: [0.1] * 3}, confirm={0: [0.1] * 3})).sentence
    assert "is the same as in the search that chose it" in same


def test_selection_is_optimistic_and_the_shrinkage_measures_it() -> None:
    """The best of 20 equal trials: on average its search score is too good by E[max of 20 normals] / sqrt(3) sigma."""
    generator = np.random.default_rng(1)
    shrinkage = []
    for _ in range(300):
        results = generator.normal(0.0, 1.0, (20, 3))
        best = int(results.mean(axis=1).argmin())
        fresh = generator.normal(0.0, 1.0, 10)
        runs = frame({0: results[best].tolist()}, {0: fresh.tolist()})
        shrinkage.append(info_of(runs).winners[0].shrinkage.interval.mean)
    expected = 1.8675 / math.sqrt(3)  # David and Nagaraja, Order Statistics, table of E[X(20:20)]
    assert np.mean(shrinkage) == pytest.approx(expected, abs=4 * np.std(shrinkage) / math.sqrt(300))


def test_winners_of_each_value_have_places_of_their_own() -> None:
    runs = frame(confirm={**CONFIRM, 2: [0.4, 0.4, 0.5, 0.4]})
    rows = table(info_of(runs, per="optimizer.name"))
    assert rows[["value", "place", "rank"]].values.tolist() == [["sgd", 1, 1], ["adam", 1, 2], ["sgd", 2, 3]]
    assert rows["seeds"].tolist() == ["4 of 4"] * 3 and rows["search_seeds"].tolist() == ["3 of 3"] * 3
    assert rows["shrinkage"].tolist() == pytest.approx([0.0, 0.055, -0.175])


def test_confirm_runs_that_diverge_are_counted_and_those_without_a_result_wait() -> None:
    runs = frame()
    runs.loc[runs["run_id"] == "confirm-1-1000", ["outcome", "objective"]] = ["diverged", math.nan]
    info = info_of(runs)
    assert [winner.group.trial for winner in info.winners] == [0, 1], "the share that diverged comes first"
    assert table(info)["seeds"].tolist() == ["4 of 4", "3 of 4"]
    waiting = frame(confirm={0: [math.nan]}).assign(
        outcome=lambda f: f["outcome"].mask(f["phase"] == "confirm", "running")
    )
    info = info_of(waiting)
    assert not info.judged and answer(info, over=False) == "" and info.sentence == ""
    assert table(info)["shrinkage"].isna().all() and table(info)["place"].isna().all()


def test_a_sweep_without_confirm_runs_has_no_winners() -> None:
    info = info_of(frame(confirm={}))
    assert not info.winners and not info.judged and table(info).empty
    assert not info_of(pd.DataFrame()).winners


def test_equal_labels_are_told_apart() -> None:
    runs = frame()
    runs["optimizer.name"], runs["optimizer.lr"] = "adam", 0.1
    labels = {winner.group.label for winner in info_of(runs).winners}
    assert labels == {"adam, lr 0.1, trial 0", "adam, lr 0.1, trial 1"}


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_shows_every_seed_and_both_means(dark: bool) -> None:
    figure = plot_confirmed(info_of(frame()), dark=dark)
    dots, means = figure.data[0::2], figure.data[1::2]
    assert sorted(dots[0].x) == sorted(SEARCH[0] + SEARCH[1]), "the trial that was no winner is not in it"
    assert sorted(dots[1].x) == sorted(CONFIRM[0] + CONFIRM[1])
    assert list(means[1].x) == pytest.approx([0.14, 0.165])
    half = stats.t.ppf(0.975, 3) * np.std(CONFIRM[1], ddof=1) / 2
    assert means[1].error_x.array[0] == pytest.approx(half)


def test_an_interval_below_three_seeds_is_not_drawn() -> None:
    figure = plot_confirmed(info_of(frame(search={0: [0.1, 0.2]}, confirm={0: [0.1, 0.2]})))
    assert [list(trace.error_x.array) for trace in figure.data[1::2]] == [[0.0], [0.0]]


def compared() -> Any:
    """The same runs as the store holds them."""
    rows = frame()
    runs = pd.DataFrame(
        {
            "run_id": rows["run_id"], "name": "", "experiment_id": "1", "status": "FINISHED", "start_time": 0,
            "end_time": 1.0, "parent": "sweep",
        }
    )  # fmt: skip
    tags = [
        (row["run_id"], key, str(row[key]))
        for row in rows.to_dict("records")
        for key in ("group", "trial", "seed", "phase", "outcome")
    ] + [(run_id, "kind", "run") for run_id in rows["run_id"]]
    params = [(row["run_id"], key, str(row[key])) for row in rows.to_dict("records") for key in KEYS]
    metrics = [(row["run_id"], "objective", row["objective"], 1, 0) for row in rows.to_dict("records")]
    long = ["run_id", "key", "value"]
    return comparison(
        runs, pd.DataFrame(params, columns=long), pd.DataFrame(tags, columns=long),
        pd.DataFrame(metrics, columns=[*long, "step", "time"]), pd.DataFrame(),
    )  # fmt: skip


def test_a_sweep_with_confirm_runs_is_compared_by_these_alone() -> None:
    confirmed = judged_by_confirm(compared())
    assert {sample.name: len(sample.values) for sample in samples(confirmed.runs)} == {"confirm0": 4, "confirm1": 4}
    assert judged_by_confirm(confirmed) is confirmed


def test_other_sweeps_and_confirm_runs_without_a_result_leave_search_runs_where_they_are() -> None:
    both = compared()
    both.runs.loc[both.runs["group"] == "search2", "parent"] = "another"
    assert set(judged_by_confirm(both).runs["group"]) == {"confirm0", "confirm1", "search2"}
    waiting = compared()
    waiting.runs.loc[confirms(waiting.runs), "outcome"] = "running"
    assert judged_by_confirm(waiting) is waiting


def test_confirmed_groups_are_named_apart() -> None:
    groups, _ = groups_of(compared(), "objective", "minimize")
    assert sorted(group.label for group in groups) == [
        "adam, lr 0.01", "adam, lr 0.01 (confirmed)", "sgd, lr 0.1", "sgd, lr 0.1 (confirmed)", "sgd, lr 1",
    ]  # fmt: skip

"""Estimates: what differs in cost, what rehearsals tell, and the sweep as a whole, against closed forms."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from data.parts import Batches
from sweeps.preflight import estimate as estimates
from sweeps.preflight.cost_points import MOST_LISTED, MOST_TIMED, architecture, cost_plan, features, spread_out
from sweeps.preflight.estimate import Timing, complete, estimate, makespan, steps_per_epoch, timing
from sweeps.preflight.rehearsal import Rehearsal
from sweeps.search import count, enumerate_trials
from sweeps.spec import configuration, parse

SPEC = """
name: e
model: {name: mlp, hidden_sizes: [8]}
data: {name: iris, batch_size: 16}
optimizer: {name: adam}
trainer: {max_epochs: 10}
workers: 1
"""


def spec(more=""):
    return parse(SPEC + more)


def trained(**searched):
    return architecture(configuration(spec(), searched))


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("optimizer.lr", 0.1, 0.001),
        ("data.label_noise", 0.0, 0.3),
        ("data.input_noise", 0.1, 0.3),
        ("model.dropout", 0.1, 0.5),
        ("model.initialization", "he", "xavier"),
        ("regularization.l2", 0.1, 0.2),
        ("trainer.max_epochs", 1, 100),
    ],
)
def test_what_changes_no_time_of_a_step_is_one_architecture(key, one, other):
    assert trained(**{key: one}) == trained(**{key: other})


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("data.batch_size", 16, 32),
        ("data.train_size", 20, None),
        ("data.input_noise", 0.0, 0.1),
        ("model.hidden_sizes", [8], [64]),
        ("model.dropout", 0.0, 0.5),
        ("model.norm", "none", "batch"),
        ("optimizer.name", "adam", "sgd"),
        ("regularization.l1", 0.0, 0.1),
        ("trainer.precision", 32, 64),
    ],
)
def test_what_changes_it_makes_two(key, one, other):
    assert trained(**{key: one}) != trained(**{key: other})


def test_the_number_of_training_sets_makes_another_architecture_that_of_initialisations_does_not():
    first, second, third = (
        cost_plan(spec(f"replicate: {{datasets: {datasets}, inits: {inits}}}\n"))
        for datasets, inits in ((2, 3), (4, 3), (2, 1))
    )
    assert first.architectures.keys() == third.architectures.keys() != second.architectures.keys()
    assert cost_plan(spec()).architectures.keys() != first.architectures.keys()
    assert (first.runs, second.runs, third.runs) == (6, 12, 2)


def test_a_plan_counts_every_trial_once_with_its_epochs():
    sweep = spec(
        "search: {optimizer.lr: {values: [0.1, 0.2, 0.3]}, model.hidden_sizes: {values: [[4], [8]]}, "
        "trainer.max_epochs: {values: [5, 7]}}\nseeds: 2"
    )
    plan = cost_plan(sweep)
    assert (plan.trials, plan.runs, len(plan.architectures)) == (12, 24, 2)
    assert Counter(epochs for _, epochs in plan.work) == {5: 6, 7: 6}
    assert set(Counter(key for key, _ in plan.work).values()) == {6}
    assert [plan.names[key] for key in plan.architectures] == ["hidden_sizes [4]", "hidden_sizes [8]"]
    listed = [canonical for canonical, _ in plan.work]
    truth = [trial.configuration["model"]["hidden_sizes"] for trial in enumerate_trials(sweep)]
    assert [plan.architectures[key]["model"]["hidden_sizes"] for key in listed] == truth


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "qmc"])
def test_every_sampler_has_a_plan(sampler):
    plan = cost_plan(spec(f"search: {{model.hidden_sizes: {{values: [[4], [8]]}}}}\nsampler: {sampler}\ntrials: 2"))
    assert plan.trials == 2 and len(plan.work) == 2 and len(plan.architectures) == 2


def test_a_large_search_is_represented_by_some_of_its_trials_and_a_dozen_architectures():
    sweep = spec(
        "search: {data.batch_size: {low: 1, high: 100, steps: 100}, optimizer.lr: {low: 0.1, high: 1.0, steps: 50}}"
    )
    plan = cost_plan(sweep)
    assert plan.trials == 5000 == count(sweep)[0] and len(plan.work) == MOST_LISTED
    sizes = [plan.architectures[key]["data"]["batch_size"] for key in plan.timed]
    assert len(set(sizes)) == MOST_TIMED and min(sizes) <= 2 and max(sizes) >= 50


def test_spread_out_takes_the_ends_first_then_the_middle():
    line = np.arange(11.0)[:, None]
    assert set(spread_out(line, 3)) == {0, 5, 10}
    assert sorted(spread_out(line, 50)) == list(range(11))
    assert sorted(spread_out(np.zeros((4, 2)), 3)) == [0, 1, 2]  # no point twice, though all lie in one place


def test_features_tell_numbers_names_and_lists_apart():
    points = features([trained(**{"data.batch_size": size}) for size in (16, 64, 256)])
    assert points.shape == (3, 1) and points[0, 0] == 0 and points[2, 0] == 1 and 0.4 < points[1, 0] < 0.6
    points = features([trained(**{"optimizer.name": name}) for name in ("adam", "sgd", "adam")])
    assert points.shape == (3, 2) and (points[0] == points[2]).all() and (points[0] != points[1]).all()
    assert features([trained(**{"model.hidden_sizes": sizes}) for sizes in ([8], [8, 8])]).shape == (2, 2)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 66, 120, 129])
@pytest.mark.parametrize("batch_size", [1, 2, 64, 200])
def test_steps_per_epoch_are_the_batches_that_there_are(size, batch_size):
    assert steps_per_epoch(size, batch_size) == len(Batches(size, batch_size, 0))
    assert steps_per_epoch(size, "full") == 1


def rehearsal(epochs, steps, *, step=0.01, measuring=0.05, overhead=0.3, warm_up=0.2):
    """What a run would tell whose every step and every measuring take as long as the others."""
    epoch_ends = [
        (overhead / 2 + warm_up + n * (steps * step + measuring), warm_up + n * steps * step, float(n * steps))
        for n in range(1, epochs + 1)
    ]
    seconds = overhead + warm_up + epochs * (steps * step + measuring)
    return Rehearsal("ok", "", parameters=5, examples=640, seconds=seconds, epochs=epoch_ends, files=100, memory=7)


@pytest.mark.parametrize(("epochs", "steps"), [(3, 20), (10, 20), (3, 4), (2, 1)])
def test_the_time_of_an_epoch_follows_from_whole_epochs_as_from_parts_of_them(epochs, steps):
    times = timing({"data": {"batch_size": 32}}, [rehearsal(epochs, steps)])
    assert times.epoch == pytest.approx(20 * 0.01 + 0.05) and times.overhead == pytest.approx(0.5)
    assert (times.parameters, times.files, times.memory, times.spread) == (5, 100, 7, 0)


def test_repetitions_give_their_median_and_their_spread():
    rehearsals = [rehearsal(3, 20, step=step, warm_up=0) for step in (0.01, 0.02, 0.06)]
    times = timing({"data": {"batch_size": 32}}, rehearsals)
    assert times.epoch == pytest.approx(0.45) and times.spread == pytest.approx((1.25 - 0.25) / 2 / 0.45)


def test_one_epoch_alone_tells_no_time():
    assert timing({"data": {"batch_size": 32}}, [rehearsal(1, 20), Rehearsal("crashed", "why")]) is None


def test_the_second_rehearsal_is_long_enough_to_time_and_no_longer():
    whole = configuration(spec())
    quick = estimates.second_rehearsal(whole, rehearsal(2, 1, step=1e-4, measuring=1e-3))
    assert quick["trainer"]["limit_train_batches"] is None and 3 <= quick["trainer"]["max_epochs"] <= 200
    slow = estimates.second_rehearsal(whole, rehearsal(2, 1, step=0.1, measuring=0.0))
    assert slow["trainer"]["max_epochs"] == 3 and slow["trainer"]["limit_train_batches"] == 2
    assert estimates.second_rehearsal(whole, Rehearsal("stopped")) is None
    assert "lr" not in quick["optimizer"] and quick["seeds"] == {"data": 0, "init": 0, "order": 0}


def test_makespan_of_equal_runs_is_a_closed_form():
    for runs in range(12):
        for workers in (1, 2, 5):
            assert makespan([3.0] * runs, workers) == 3.0 * math.ceil(runs / workers)


def test_makespan_lies_within_grahams_bounds():
    durations = np.random.default_rng(0).exponential(size=50).tolist()
    for workers in (1, 2, 3, 8):
        least = max(sum(durations) / workers, max(durations))
        span = makespan(durations, workers)
        assert least <= span + 1e-9 and span <= sum(durations) / workers + max(durations)
    assert makespan(durations, 1) == pytest.approx(sum(durations))


def timed(sweep, *, epoch=0.5, overhead=1.0):
    plan = cost_plan(sweep)
    return plan, {key: Timing(10, epoch, overhead, files=1000, memory=100) for key in plan.timed}


def test_with_one_worker_and_cores_to_spare_the_times_add_up():
    sweep = spec("search: {optimizer.lr: {values: [0.1, 0.2, 0.3]}}\nseeds: 4")
    cost = estimate(*timed(sweep), cores=64)
    assert cost.seconds == pytest.approx(3 * 4 * (1.0 + 10 * 0.5))
    assert cost.low < cost.seconds < cost.high and not cost.at_most
    assert cost.disk == 12 * (estimates.RUN_BYTES + 10 * estimates.EPOCH_BYTES + 1000) and cost.memory == 100


def test_workers_divide_the_time_until_they_share_the_cores():
    search = "search: {optimizer.lr: {values: [0.1, 0.2]}}\nseeds: 12\n"
    alone = estimate(*timed(spec(search)), cores=64)
    four = parse(SPEC.replace("workers: 1", "workers: 4") + search)
    assert estimate(*timed(four), cores=64).seconds == pytest.approx(alone.seconds / 4)
    shared = estimate(*timed(four), cores=2)
    assert shared.seconds > alone.seconds / 2 and shared.memory == 4 * alone.memory


def test_confirm_runs_come_after_the_search():
    search = "search: {optimizer.lr: {values: [0.1, 0.2]}}\n"
    without = estimate(*timed(spec(search)), cores=64)
    cost = estimate(*timed(spec(search + "confirm: {top: 1, seeds: 5}")), cores=64)
    assert cost.seconds == pytest.approx(without.seconds + 5 * 6.0)
    assert cost.disk == pytest.approx(without.disk * 7 / 2)


@pytest.mark.parametrize("more", ["pruner: median", "regularization: {early_stopping_patience: 2}"])
def test_what_may_end_runs_early_makes_it_an_upper_bound(more):
    search = "search: {optimizer.lr: {values: [0.1, 0.2]}}\nseeds: 3\n"
    plain, bound = (estimate(*timed(spec(search + text)), cores=64) for text in ("", more))
    assert bound.at_most and bound.seconds == pytest.approx(plain.seconds) and bound.low < plain.low / 1.5


def test_architectures_not_timed_follow_a_power_law_through_the_others():
    sweep = spec("search: {data.batch_size: {values: [3, 7, 15, 31, 63, 127]}}")
    plan = cost_plan(sweep)
    sizes = {key: one["data"]["batch_size"] for key, one in plan.architectures.items()}
    truth = {key: Timing(1, 8.0 / (size + 1), 0.1, 1000, 50) for key, size in sizes.items()}
    timings = {key: one for key, one in truth.items() if sizes[key] != 15}
    filled = complete(plan.architectures, timings)
    assert filled.keys() == truth.keys() and all(filled[key] == truth[key] for key in timings)
    (left,) = truth.keys() - timings.keys()
    assert filled[left].epoch == pytest.approx(truth[left].epoch, rel=0.02)
    assert filled[left].overhead == pytest.approx(0.1, rel=0.02) and filled[left].memory == 50
    wider = estimate(plan, timings, cores=64)
    assert wider.high / wider.seconds > 1 + estimates.MARGIN
    with pytest.raises(ValueError, match="none of the architectures has been timed"):
        complete(plan.architectures, {})


def test_what_recorders_cost_is_that_of_the_runs_that_were_timed():
    rehearsals = [rehearsal(3, 20) for _ in range(3)]
    for other, once in zip(rehearsals, (0.1, 0.9, 0.2), strict=True):
        other.recorders = {"layers": (once, 0.01)}
    rehearsals[0].recorders["regions"] = (0.5, 0.0)
    costs = timing({"data": {"batch_size": 32}}, rehearsals).recorders
    assert costs == {"layers": (0.2, 0.01), "regions": (0.5, 0.0)}
    plan, timings = timed(spec("search: {model.hidden_sizes: {values: [[8], [16]]}}"))
    first, *_ = timings
    timings[first] = replace(timings[first], recorders=costs)
    cost = estimate(plan, timings, cores=1)
    assert cost.recorders == pytest.approx({"layers": (0.2 + 10 * 0.01) / 2, "regions": 0.5 / 2})


def test_the_cost_of_recorders_is_one_sentence_and_the_dearest_comes_first():
    sentence = estimates.recording({"recorders": {"regions": 0.012, "layers": 0.3}})
    assert sentence == "Recorders take about 0.31 s of each run: layers 0.3 s, regions 0.01 s."
    assert estimates.recording({"recorders": {}}) == estimates.recording({}) == ""


def test_it_is_said_in_one_line():
    cost = {"seconds": 125.0, "workers": 2, "at_most": False, "disk_bytes": 12_300_000, "memory_bytes": 830e6}
    assert estimates.summary(cost) == "about 2 min on 2 workers · 12 MB on disk · 830 MB of memory"
    cost |= {"at_most": True, "workers": 1, "memory_bytes": None}
    assert estimates.summary(cost) == "at most 2 min on 1 worker · 12 MB on disk"
    assert estimates.summary(cost | {"seconds": None}) == ""

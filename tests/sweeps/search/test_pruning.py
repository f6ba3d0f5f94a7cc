"""The judge, against Optuna's own loop with the same curves."""

import optuna
import pytest

from sweeps.search.pruning import STARTUP_TRIALS, WARM_UP, Judge, longest
from sweeps.spec import parse
from tracking.schema import Outcome

EPOCHS = 20


def spec_of(pruner, direction="minimize", search=""):
    return parse(
        f"name: pruning\nmodel: {{name: mlp}}\ndata: {{name: iris}}\ntrainer: {{max_epochs: {EPOCHS}}}\n"
        f"pruner: {pruner}\nobjective: {{metric: val/loss, direction: {direction}}}\n{search}"
    )


def curve(number):
    return [(number * 7 % 11) / 10 + 2 / epoch + 0.3 * ((number * epoch) % 3) for epoch in range(1, EPOCHS + 1)]


def judged(spec, trials=30):
    """The epoch at which the judge ends each trial, or None for one that it lets end."""
    judge, ends = Judge(spec), {}
    for number in range(trials):
        judge.begin(number, EPOCHS)
        values = curve(number)
        ends[number] = next((e for e, v in enumerate(values, 1) if judge.prunes(number, e, v)), None)
        outcome = Outcome.OK if ends[number] is None else Outcome.PRUNED
        judge.end(number, outcome, values[-1] if outcome is Outcome.OK else None)
    return ends


def by_optuna(pruner, direction, trials=30):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(pruner=pruner, direction=direction, study_name="sweepboard")
    ends = {}

    def objective(trial):
        for epoch, value in enumerate(curve(trial.number), 1):
            trial.report(value, epoch)
            if epoch < EPOCHS and trial.should_prune():
                ends[trial.number] = epoch
                raise optuna.TrialPruned
        ends[trial.number] = None
        return value

    study.optimize(objective, n_trials=trials)
    return ends


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_judges_as_optuna_does(direction):
    median = optuna.pruners.MedianPruner(STARTUP_TRIALS, n_warmup_steps=EPOCHS // WARM_UP)
    assert judged(spec_of("median", direction)) == by_optuna(median, direction)
    hyperband = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS)
    assert judged(spec_of("hyperband", direction)) == by_optuna(hyperband, direction)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_some_are_ended_early_and_none_at_the_last_epoch(pruner):
    ends = judged(spec_of(pruner))
    ended = [epoch for epoch in ends.values() if epoch is not None]
    assert ended and max(ended) < EPOCHS and None in ends.values()


def test_what_a_run_says_twice_is_heard_once():
    judge = Judge(spec_of("median"))
    judge.begin(0, EPOCHS)
    assert not judge.prunes(0, 1, 0.5)
    judge.begin(0, EPOCHS)
    assert not judge.prunes(0, 1, 0.7)
    judge.end(0, Outcome.OK, 0.5)
    judge.end(0, Outcome.CRASHED, None)
    assert not judge.prunes(0, 2, 9.0) and not judge.prunes(1, 1, 9.0)


def test_the_longest_trial_sets_the_scale():
    assert longest(spec_of("median")) == EPOCHS
    assert longest(spec_of("median", search="search: {trainer.max_epochs: {values: [5, 40, 10]}}")) == 40
    ranged = "search: {trainer.max_epochs: {low: 5, high: 50}}\nsampler: random\ntrials: 3"
    assert longest(spec_of("median", search=ranged)) == 50

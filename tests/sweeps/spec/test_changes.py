"""What may be changed of a sweep that has begun."""

import pytest

from sweeps.fields import SpecError
from sweeps.search import enumerate_trials
from sweeps.spec import parse
from sweeps.spec.changes import change_sentence, changed, extended

GRID = """
name: changes
model: {name: mlp}
data: {name: iris}
search: {optimizer.lr: {values: [0.1, 0.2, 0.3]}}
seeds: 2
workers: 2
"""
RANDOM = GRID + "sampler: random\ntrials: 2\n"
REPLICATED = {text: text.replace("seeds: 2", "replicate: {datasets: 3, inits: 2}") for text in (GRID, RANDOM)}


def test_more_trials_and_seeds():
    spec = parse(RANDOM)
    more = extended(spec, {"trials": 1, "seeds": 3})
    assert (more.trials, more.seeds) == (3, 5)
    assert enumerate_trials(more)[:2] == enumerate_trials(spec)
    assert change_sentence(spec, more) == "Changed: trials 2 → 3, seeds 2 → 5."
    assert extended(parse(GRID), {"seeds": 1}).seeds == 3


def test_a_replicated_sweep_gets_more_trials_and_keeps_what_it_claims():
    claim = "claim: {text: a, better: {optimizer.lr: 0.1}, than: {optimizer.lr: 0.2}}\n"
    spec = parse(REPLICATED[RANDOM] + claim)
    more = extended(spec, {"trials": 1, "seeds": 0})
    assert (more.trials, more.seeds, more.replicate, more.claim) == (3, 6, spec.replicate, spec.claim)
    assert enumerate_trials(more)[:2] == enumerate_trials(spec)
    assert changed(spec, {"workers": 1}).replicate == spec.replicate


def test_other_workers_and_another_pruner():
    spec = parse(GRID)
    other = changed(spec, {"workers": 4, "pruner": None})
    assert (other.workers, other.pruner) == (4, "none")
    assert change_sentence(spec, changed(spec, {"pruner": "median"})) == "Changed: pruner none → median."
    assert change_sentence(spec, changed(spec, {"workers": 2})) == "Nothing was changed."


@pytest.mark.parametrize(
    ("change", "text", "arguments", "sentence"),
    [
        (extended, GRID, {"trials": 2},
         "extend.trials: 2 is not allowed; allowed: seeds only, as the grid has tried every combination."),
        (extended, RANDOM, {"trials": 2},
         "trials: 4 is not allowed; allowed: at most 3, as the search holds no more configurations."),
        (extended, RANDOM, {"seeds": 999}, "seeds: 1001 is not allowed; allowed: a whole number from 1 to 1,000."),
        (extended, RANDOM, {}, "extend: missing; allowed: trials or seeds, each a whole number of 1 or more."),
        (extended, RANDOM, {"seeds": 1.5},
         "extend.seeds: 1.5 is not allowed; allowed: a whole number from 0 to 100,000."),
        (extended, RANDOM, {"sedes": 1},
         "extend.sedes: unknown key, given 1; allowed for extend: trials, seeds; did you mean seeds?"),
        (extended, REPLICATED[RANDOM], {"trials": 1, "seeds": 2},
         "extend.seeds: 2 is not allowed; allowed: none beside replicate, as its training sets are cut or drawn for as "
         "many as there are."),
        (extended, REPLICATED[GRID], {"trials": 1},
         "extend.trials: 1 is not allowed; allowed: none, as the grid has tried every combination."),
        (changed, REPLICATED[GRID], {"pruner": "median"},
         'pruner: "median" is not allowed; allowed: none beside replicate, which needs all runs of every trial.'),
        (changed, GRID, {"workers": 0}, "change.workers: 0 is not allowed; allowed: a whole number from 1 to 64."),
        (changed, GRID, {"workers": None}, "change: missing; allowed: workers, pruner or both."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence(change, text, arguments, sentence):
    with pytest.raises(SpecError) as caught:
        change(parse(text), arguments)
    assert str(caught.value) == sentence

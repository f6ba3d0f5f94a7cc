"""A sweep that is killed at any moment and resumed asks for the trials that it would have asked for.

The engine is real: search, samplers, judge, progress and active sweep. Only training is replaced, by a formula of the
configuration and the seed, and the store, by a list of what was written, of which a kill loses the last lines.
"""

import json
import math
import random
import time
from unittest.mock import create_autospec

import pytest

from sweeps.search import CONFIRM_SEEDS, enumerate_trials
from sweeps.search.progress import Progress, StoredRun
from sweeps.service.active_sweep import ActiveSweep, Resources
from sweeps.service.stored import StoredSweep
from sweeps.spec import parse
from sweeps.workers import LocalWorkers, Message
from tracking import schema
from tracking.schema import State
from tracking.writer import Writer

SPEC = """
name: rebuild
model: {name: mlp}
data: {name: iris}
trainer: {max_epochs: 9}
search:
  optimizer.name: {values: [sgd, momentum, adam]}
  optimizer.lr: {low: 0.001, high: 1.0, log: true, steps: 4}
  optimizer.momentum: {values: [0.5, 0.9]}
seeds: 2
workers: 1
"""
RANGE = SPEC.replace(", steps: 4", "")


SEEDS = (schema.SEED, schema.SEED_DATA, schema.SEED_INIT, schema.SEED_ORDER)


def spec_of(sampler, pruner="none", confirm="{}"):
    text = (SPEC if sampler == "grid" else RANGE) + f"sampler: {sampler}\npruner: {pruner}\nconfirm: {confirm}\n"
    return parse(text if sampler == "grid" else f"{text}trials: 14\n")


class Store:
    """What the writer has written, line by line."""

    def __init__(self):
        self.log = []
        self.writer = create_autospec(Writer, instance=True)
        self.writer.problem, self.writer.backlog = None, 0
        for method in (self.start_run, self.set_tags, self.log_metrics, self.end):
            getattr(self.writer, method.__name__).side_effect = method

    def start_run(self, key, run):
        self.log.append(("start", key, dict(run.tags)))

    def set_tags(self, key, tags):
        self.log.append(("tags", key, dict(tags)))

    def log_metrics(self, key, metrics, step, time_ms):
        self.log.append(("metrics", key, step, dict(metrics)))

    def end(self, key, outcome, tags, end_time):
        self.set_tags(key, {**tags, schema.OUTCOME: str(outcome)})

    def runs(self):
        runs = {}
        for what, key, *rest in self.log:
            if what == "start":
                runs[key] = {"tags": rest[0], "objective": None, "curve": {}, "start": len(runs)}
            elif what == "tags" and key in runs:
                runs[key]["tags"] |= rest[0]
            elif what == "metrics" and key in runs:
                step, metrics = rest
                if schema.OBJECTIVE in metrics:
                    runs[key]["objective"] = metrics[schema.OBJECTIVE]
                elif schema.VAL_LOSS in metrics and runs[key]["tags"][schema.SEED] == "0":
                    runs[key]["curve"][step] = metrics[schema.VAL_LOSS]
        return runs

    def winners(self):
        texts = [
            rest[0][schema.WINNERS] for what, key, *rest in self.log if what == "tags" and schema.WINNERS in rest[0]
        ]
        return json.loads(texts[-1]) if texts else None


class Worker:
    """One worker; what it sends up lies in `outbox` until it is delivered.

    It learns late that a run is pruned: it has trained on meanwhile, and says that all went well.
    """

    def __init__(self):
        self.outbox, self.job = [], None
        self.workers = create_autospec(LocalWorkers, instance=True)
        self.workers.submit.side_effect = self.submit
        self.workers.free = 1

    def submit(self, jobs):
        (self.job,) = jobs
        self.outbox = messages(self.job)
        self.workers.free = 0
        return True

    def finish(self):
        self.job, self.workers.free = None, 1


def messages(job):
    """The records of a run: a falling curve, noisy by its seed; large rates diverge."""
    configuration = job.configuration
    rate, name = configuration["optimizer"]["lr"], configuration["optimizer"]["name"]
    seed = configuration["seeds"]["init"]
    offset = (math.log10(rate) + 1.5) ** 2 + ("sgd", "momentum", "adam").index(name) / 3
    noise = random.Random(f"{rate} {name} {seed}").uniform(-0.1, 0.1)
    if rate > 0.8:
        yield Message("result", job.key, {"outcome": "diverged", "objective": None, "epochs": 1, "error": "nan"})
        return
    for epoch in range(1, 10):
        value = offset + noise + 3 / epoch
        yield Message("metrics", job.key, {"step": epoch, "time": 0, "metrics": {schema.VAL_LOSS: value}})
    yield Message("result", job.key, {"outcome": "ok", "objective": value, "epochs": 9, "error": None})


class Life:
    """The life of a sweep from one start of the service to its end."""

    def __init__(self, spec, store):
        for key, run in store.runs().items():
            if schema.OUTCOME not in run["tags"]:
                store.set_tags(key, {schema.OUTCOME: "crashed", schema.RERUN: schema.YES})
        progress = Progress(spec, enumerate_trials(spec))
        stored = [
            StoredRun(key, run["start"], "", run["tags"], run["objective"], run["curve"])
            for key, run in store.runs().items()
        ]
        for old, new in progress.restore(stored, store.winners()):
            store.set_tags(old, {schema.SUPERSEDED_BY: new})
        self.store, self.worker = store, Worker()
        self.active = ActiveSweep(
            StoredSweep("sweep", "1", progress),
            Resources(store.writer, self.worker.workers, wake=lambda: None, owner="me"),
        )
        self.active.begin()

    def step(self):
        """Deliver one message; False when the sweep is over."""
        if self.worker.job is None:
            if self.active.settle():
                return False
            self.active.dispatch()
            time.sleep(0.0005)  # the sampler thinks in a thread of its own
            return True
        message = next(self.worker.outbox)
        key = message.key
        if message.kind == "result":
            self.worker.finish()
        self.active.created(key, key)
        self.active.handle(message)
        self.active.dispatch()
        return True


def lived(spec, kills=(), store=None):
    """The runs that count after these kills: (trial, seed) -> (params, outcome, objective, pruned at)."""
    store, life, steps = store or Store(), None, 0
    kills = list(kills)
    while True:
        life = life or Life(spec, store)
        if not life.step():
            break
        steps += 1
        if kills and steps == kills[0][0]:
            lost = kills.pop(0)[1]
            del store.log[len(store.log) - lost :]
            life = None
    assert life.active.state is State.FINISHED
    counting = [run for run in store.runs().values() if schema.SUPERSEDED_BY not in run["tags"]]
    places = [(int(run["tags"][schema.TRIAL]), int(run["tags"][schema.SEED])) for run in counting]
    assert len(set(places)) == len(places), "a trial and seed has two runs that count"
    runs = {
        place: (
            run["tags"][schema.PARAMS], run["tags"][schema.OUTCOME], run["objective"],
            run["tags"].get(schema.PRUNED_AT),
        )
        for place, run in zip(places, counting, strict=True)
    }  # fmt: skip
    planned = [rest[0][schema.PLANNED] for what, _, *rest in store.log if what == "tags" and schema.PLANNED in rest[0]]
    assert int(planned[-1]) == len(runs)
    return runs


CASES = [
    ("grid", "none"), ("random", "median"), ("qmc", "hyperband"), ("tpe", "none"), ("tpe", "median"),
    ("tpe", "hyperband"), ("grid", "median"),
]  # fmt: skip


@pytest.mark.parametrize(("sampler", "pruner"), CASES)
@pytest.mark.parametrize("draw", range(2))
def test_killed_and_resumed_it_is_the_same_sweep(sampler, pruner, draw):
    spec = spec_of(sampler, pruner, "{per: optimizer.name, seeds: 3}")
    whole = lived(spec)
    rng = random.Random(f"{sampler} {pruner} {draw}")
    kills = sorted((rng.randrange(1, 150), rng.randrange(6)) for _ in range(5))
    assert lived(spec, kills) == whole


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_replicated_sweep_is_rebuilt_with_its_seeds(sampler):
    text = (SPEC if sampler == "grid" else RANGE).replace("seeds: 2", "replicate: {datasets: 3, inits: 2}")
    spec = parse(f"{text}sampler: {sampler}\n" + ("" if sampler == "grid" else "trials: 5\n"))
    store = Store()
    assert lived(spec, [(20, 2), (90, 0), (140, 5)], store) == lived(spec)
    for run in store.runs().values():
        seed, data, init, order = (int(run["tags"][tag]) for tag in SEEDS)
        assert (data, init, order) == (seed % 3, seed, seed)


def test_the_gaussian_process_is_rebuilt_exactly_too():
    spec = spec_of("gp", "median", "{seeds: 2}")
    assert lived(spec, [(40, 2), (90, 0), (130, 3)]) == lived(spec)


def test_a_sampler_that_learns_tries_something_else_each_time_and_finds_a_good_place():
    runs = lived(spec_of("tpe"))
    params = [content[0] for (_, seed), content in runs.items() if seed == 0]
    assert len(params) == len(set(params)) == 14
    best = min((objective, params) for params, outcome, objective, _ in runs.values() if outcome == "ok")
    assert abs(math.log10(json.loads(best[1])["optimizer.lr"]) + 1.5) < 0.5  # where the formula is lowest


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_the_other_seeds_of_a_pruned_trial_are_spared(pruner):
    runs = lived(spec_of("random", pruner))
    first = {trial: outcome for (trial, seed), (_, outcome, _, _) in runs.items() if seed == 0}
    second = {trial for trial, seed in runs if seed == 1}
    assert len(first) == 14 and "pruned" in first.values()
    assert second == {trial for trial, outcome in first.items() if outcome == "ok"}
    ended = [int(at) for (_, _, _, at) in runs.values() if at is not None]
    assert ended and max(ended) < 9, "nothing is saved by pruning at the last epoch"


def test_winners_are_confirmed_with_seeds_that_did_not_choose_them():
    runs = lived(spec_of("grid", confirm="{top: 1, per: optimizer.name, seeds: 3}"))
    search = {place: content for place, content in runs.items() if place[1] < CONFIRM_SEEDS}
    means = {}
    for (trial, _), (params, outcome, objective, _) in search.items():
        means.setdefault((json.loads(params)["optimizer.name"], trial), []).append(
            objective if outcome == "ok" else math.inf
        )
    best = {}
    for (name, trial), values in means.items():
        best[name] = min(best.get(name, (math.inf, None)), (sum(values) / len(values), trial))
    confirmed = sorted({trial for trial, seed in runs if seed >= CONFIRM_SEEDS})
    assert confirmed == sorted(trial for _, trial in best.values())
    assert len(runs) == len(search) + 3 * 3

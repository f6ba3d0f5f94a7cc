"""Put a sweep into the store, queued: the whole act of launching."""

from __future__ import annotations

import json
import time

from sweeps.search import enumerate_trials, trials_to_json
from sweeps.spec import Spec, to_yaml
from tracking import schema
from tracking.store import ensure_store
from tracking.writer import create_sweep


def store_sweep(uri: str, spec: Spec) -> str:
    """Store a sweep with its spec and its trials, queued for whichever service owns the store.

    Returns:
        the sweep's id
    """
    ensure_store(uri)
    trials = enumerate_trials(spec)
    return create_sweep(
        uri,
        experiment=spec.experiment or spec.name,
        name=spec.name,
        note=spec.question,
        tags={
            schema.KIND: schema.SWEEP_KIND,
            schema.QUEUED_AT: str(time.time_ns() // 1_000_000),
            schema.PLANNED: str(len(trials) * spec.seeds),
            schema.TRIALS: str(len(trials)),
            schema.SEEDS: str(spec.seeds),
            schema.METRIC: spec.objective.metric,
            schema.DIRECTION: spec.objective.direction,
            schema.SEARCHED: json.dumps(list(spec.search)),
        },
        files={schema.SPEC_FILE: to_yaml(spec), schema.TRIALS_FILE: trials_to_json(trials)},
    )

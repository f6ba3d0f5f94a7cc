"""The launch of a sweep: it is stored with its spec and its trials, and queued."""

from __future__ import annotations

import json
import time

from sweeps.search import count, trials_text
from sweeps.spec import Spec, to_yaml
from tracking import schema
from tracking.store import ensure_store
from tracking.writer import create_sweep


def store_sweep(uri: str, spec: Spec, seconds: float | None = None) -> str:
    """Store a sweep with its spec and its trials, queued for the service that owns the store.

    Args:
        uri: the MLflow store
        spec: the sweep
        seconds: the estimated duration, if there is an estimate

    Returns:
        the sweep's id
    """
    ensure_store(uri)
    trials, runs = count(spec)
    return create_sweep(
        uri,
        experiment=spec.experiment or spec.name,
        name=spec.name,
        note=spec.question,
        tags={
            schema.KIND: schema.SWEEP_KIND,
            schema.QUEUED_AT: str(time.time_ns() // 1_000_000),
            schema.PLANNED: str(runs),
            schema.TRIALS: str(trials),
            schema.SEEDS: str(spec.seeds),
            schema.METRIC: spec.objective.metric,
            schema.DIRECTION: spec.objective.direction,
            schema.SEARCHED: json.dumps(list(spec.search)),
            **({schema.ESTIMATED: f"{seconds:.1f}"} if seconds is not None else {}),
        },
        files={schema.SPEC_FILE: to_yaml(spec), schema.TRIALS_FILE: trials_text(spec)},
    )

"""One run as its page needs it: what was logged, in few queries. No Streamlit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from tracking import schema
from tracking.configurations import parse_value
from tracking.frames import Selection
from tracking.legible import legible
from tracking.schema import WEIGHTS_FILE
from tracking.store import StoreError


@dataclass(frozen=True)
class OneRun:
    """A run; times in milliseconds."""

    run_id: str
    name: str
    experiment_id: str
    status: str
    start: int | None
    end: int | None
    deleted: bool
    artifact_uri: str
    parent: str | None
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    """The latest value of each; nan where it is no number."""
    last_seen: int | None
    """When it last logged a metric."""
    files: list[tuple[str, int]] = field(default_factory=list)
    files_problem: str = ""

    @property
    def ours(self) -> bool:
        """Whether a sweep trained it."""
        return self.tags.get(schema.KIND) == schema.RUN_KIND

    @property
    def state(self) -> str:
        """Its outcome, else MLflow's status in lower case."""
        return self.tags.get(schema.OUTCOME) or self.status.lower()

    @property
    def seconds(self) -> float | None:
        """How long it took; None where it has no start or end, or one before the other."""
        if self.start is None or self.end is None or self.end < self.start:
            return None
        return (self.end - self.start) / 1000

    @property
    def superseded(self) -> bool:
        """Whether another run stands in for it."""
        return schema.SUPERSEDED_BY in self.tags


def read_run(reader: Any, run_id: str) -> OneRun | None:
    """A run of the store, deleted ones too."""
    records = reader.records(Selection.of(run_ids=[run_id], deleted=True))
    if records.runs.empty:
        return None
    row = records.runs.iloc[0]
    files, problem = [], ""
    try:
        listed = reader.artifacts(run_id)
        files = [(str(path), int(size)) for path, size in zip(listed["path"], listed["size"], strict=True)]
    except (OSError, StoreError) as error:
        problem = " ".join(str(error).split())
    end = row["end_time"]
    return OneRun(
        run_id=str(row["run_id"]),
        name=str(row["name"]) if isinstance(row["name"], str) else "",
        experiment_id=str(row["experiment_id"]),
        status=str(row["status"]),
        start=int(row["start_time"]) or None,
        end=None if pd.isna(end) else int(end),
        deleted=str(row["lifecycle"]) == "deleted",
        artifact_uri=str(row["artifact_uri"]),
        parent=str(row["parent"]) if isinstance(row["parent"], str) else None,
        params=dict(zip(records.params["key"], records.params["value"], strict=True)),
        tags=dict(zip(records.tags["key"], records.tags["value"], strict=True)),
        metrics=dict(zip(records.metrics["key"], records.metrics["value"].astype(float), strict=True)),
        last_seen=int(records.metrics["time"].max()) if len(records.metrics) else None,
        files=files,
        files_problem=problem,
    )


def events_of(run: OneRun) -> list[tuple[int, str]]:
    """What happened to the run, newest first: (milliseconds, words)."""
    events = []
    for key, value in run.tags.items():
        if key.startswith(schema.EVENT):
            try:
                event = json.loads(value)
                events.append((int(event["at"]), legible(str(event["text"]))))
            except (ValueError, TypeError, KeyError):
                continue
    return sorted(events, reverse=True)


def _section(run: OneRun, name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key[len(prefix) :]: parse_value(value) for key, value in run.params.items() if key.startswith(prefix)}


def _literal(fields: dict[str, Any]) -> str:
    return "".join(f"    {key}={value!r},\n" for key, value in fields.items())


def weights_path(run: OneRun) -> str | None:
    """Where the weights lie on this machine; None where a server has them, or the run kept none."""
    if WEIGHTS_FILE not in dict(run.files):
        return None
    parts = urlsplit(run.artifact_uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return str(Path(unquote(parts.path)) / WEIGHTS_FILE)
    return f"{run.artifact_uri}/{WEIGHTS_FILE}" if run.artifact_uri.startswith("/") else None


def snippet(run: OneRun, uri: str) -> str | None:
    """Python that builds the run's model and loads its best weights; None where the run is not ours or kept none.

    Args:
        run: The run.
        uri: The tracking URI as it may be shown, for a store whose files are not on this machine.
    """
    model, data = _section(run, "model"), _section(run, "data")
    if not run.ours or WEIGHTS_FILE not in dict(run.files) or "name" not in model or "name" not in data:
        return None
    seeds, sets = _section(run, "seeds"), _section(run, "replicate").get("datasets")
    disjoint = f"    disjoint=({seeds.get('data', 0)!r}, {sets!r}),\n" if sets else ""
    path = weights_path(run)
    if path is None:
        imports = "import mlflow\nimport torch\n"
        what = f"run_id={run.run_id!r}, artifact_path={WEIGHTS_FILE!r}, tracking_uri={uri!r}"
        where = f"mlflow.artifacts.download_artifacts(\n    {what}\n)"
    else:
        imports, where = "import torch\n", repr(path)
    model_name, data_name = model.pop("name"), data.pop("name")
    return (
        f"{imports}\nfrom data import DATASETS\nfrom lightning_modules import MODELS\n\n"
        f"data = DATASETS[{data_name!r}](\n{_literal(data)}    seed_data={seeds.get('data', 0)!r},\n"
        f"    seed_order={seeds.get('order', 0)!r},\n{disjoint})\n"
        f"model = MODELS[{model_name!r}].for_data(\n    data.dims,\n{_literal(model)})\n"
        f"weights = {where}\n"
        'model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))\n'
        "model.eval()\n"
    )

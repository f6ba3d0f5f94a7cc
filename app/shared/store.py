"""What the pages read and whom they ask: frames from the store, cached until it changes, and the service's client."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from analysis.runs import metric_roles
from app.shared import metrics
from sweeps import spec as specs
from sweeps.client import Client, CommandError
from tracking import reader as tracking_reader
from tracking import schema
from tracking.frames import Keys, Reader, Records, Selection
from tracking.legible_reader import LegibleReader
from tracking.schema import SPEC_FILE
from tracking.store import default_uri, read_only_because, sqlite_path

ROLES_TAG = "sweepboard.roles"  # the tag of an experiment that holds what the user said of its metrics
LABS = Path(__file__).resolve().parents[2] / "labs"
ENTRIES = 64
"""Frames kept at a time, each until newer ones push it out."""


def uri() -> str:
    """The store of this dashboard."""
    return default_uri()


@st.cache_resource(show_spinner=False, max_entries=4)
def _client(uri: str) -> Client:
    return Client(uri)


def client() -> Client:
    """The one whom pages ask to launch, pause, stop, resume and retry."""
    return _client(uri())


def _reader(uri: str) -> Any:
    """The reader, with legible text; or nothing while there is no store yet: the service makes it."""
    path = sqlite_path(uri)
    return None if path is not None and not path.exists() else LegibleReader(tracking_reader.open_reader(uri))


def _version(uri: str) -> str:
    reader = _reader(uri)
    return "" if reader is None else str(reader.version())


def version() -> str:
    """A text that changes when the store does."""
    return _version(uri())


def cached(
    cache: Callable[..., Any] = st.cache_data, entries: int = ENTRIES, without_store: Callable[[], Any] | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a function that reads from the store: what it returns is kept until the store changes.

    The function takes the reader first; it is called without it. `clear()` forgets what is kept.

    Args:
        cache: `st.cache_resource` for what is too large to be copied; nobody may change it then.
        entries: Results that are kept at a time, each until newer ones push it out.
        without_store: Makes the result while there is no store yet.
    """

    def decorated(read: Callable[..., Any]) -> Any:
        # `wraps` hands on the name and the source, by which Streamlit tells functions apart.
        @cache(show_spinner=False, max_entries=entries)
        @functools.wraps(read)
        def kept(store: str, version: str, *arguments: Any, **named: Any) -> Any:
            reader = _reader(store)
            return without_store() if reader is None and without_store else read(reader, *arguments, **named)

        @functools.wraps(read)
        def current(*arguments: Any, **named: Any) -> Any:
            store = uri()
            return kept(store, _version(store), *arguments, **named)

        current.clear = kept.clear  # type: ignore[attr-defined]
        return current

    return decorated


@cached(without_store=pd.DataFrame)
def sweeps(reader: Reader) -> pd.DataFrame:
    """One row per sweep, newest first; empty before there is a store.

    Raises:
        StoreError: The store cannot be read, in one sentence.
    """
    return tracking_reader.sweeps(reader)


def sweep(sweep_id: str) -> pd.Series | None:
    """The row of one sweep, or nothing where there is none of that id."""
    frame = sweeps()
    rows = frame[frame["sweep"] == sweep_id] if len(frame) else frame
    return rows.iloc[0] if len(rows) else None


@cached()
def runs(reader: Reader, sweep_id: str) -> pd.DataFrame:
    """One row per run of the sweep, whether it counts or not."""
    return tracking_reader.sweep_runs(reader, sweep_id)


@cached()
def events(reader: Reader, sweep_id: str) -> pd.DataFrame:
    """What happened in the sweep, newest first."""
    return tracking_reader.events(reader, sweep_id)


@cached()
def histories(reader: Reader, run_ids: tuple[str, ...], metric: str) -> pd.DataFrame:
    """Every logged value of one metric of these runs."""
    return reader.histories(list(run_ids), [metric])


@st.cache_data(show_spinner=False, max_entries=ENTRIES, ttl=10)
def _spec_text(uri: str, sweep: str) -> str:
    return bytes(_reader(uri).artifact(sweep, SPEC_FILE)).decode()


def spec_text(sweep_id: str) -> str:
    """The YAML that the sweep was launched with; a sentence in a comment where it cannot be read."""
    try:
        return _spec_text(uri(), sweep_id)
    except (OSError, ValueError) as problem:
        return f"# This sweep's specification cannot be read: {' '.join(str(problem).split())}"


def forget_specs() -> None:
    """Read specifications afresh: one was changed."""
    _spec_text.clear()


def _no_sweeps() -> pd.DataFrame:
    return pd.DataFrame({"run_id": [], "name": [], "start_time": [], "lifecycle": []})


@cached(without_store=_no_sweeps)
def deleted_sweeps(reader: Reader) -> pd.DataFrame:
    """[run_id, name, start_time, ...] of the sweeps that were deleted and can be restored, newest first."""
    every_sweep = Selection(tag=(schema.KIND, schema.SWEEP_KIND), deleted=True)
    runs = reader.records(every_sweep, Keys((), (), ())).runs
    return runs[runs["lifecycle"] == "deleted"].sort_values("start_time", ascending=False, ignore_index=True)


@cached()
def disk(reader: Reader, sweep_id: str) -> pd.DataFrame | None:
    """[run_id, path, size] of the sweep's files; None where they lie elsewhere than on this machine."""
    from tracking.artifacts import usage

    return usage(reader, sweep_id)


def forget_files() -> None:
    """Look at files afresh: some were deleted."""
    disk.clear()


def mlflow_page(seconds: float = 60.0) -> str:
    """The URL of MLflow's own pages, started if need be and waited for.

    Raises:
        CommandError: they did not start in time, or cannot be started.
    """
    end = time.monotonic() + seconds
    while True:
        url, ready = client().mlflow_ui()
        if ready:
            return url
        if time.monotonic() > end:
            raise CommandError(f"MLflow's own pages did not start within {seconds:.0f} seconds: try again.")
        time.sleep(0.3)


def labs() -> dict[str, dict[str, Any]]:
    """The ready-made sweeps: file stem -> text, name, question, trials, runs; without those not valid."""
    return _labs(str(LABS), tuple((path.name, path.stat().st_mtime_ns) for path in sorted(LABS.glob("*.yaml"))))


@st.cache_data(show_spinner=False, max_entries=4)
def _labs(folder: str, files: tuple[tuple[str, int], ...]) -> dict[str, dict[str, Any]]:
    from sweeps import search, spec

    ready_made = {}
    for name, _ in files:
        text = (Path(folder) / name).read_text(encoding="utf-8")
        try:
            parsed = spec.parse(text)
            trials, runs = search.count(parsed)
        except ValueError:
            continue
        ready_made[Path(name).stem] = {
            "text": text,
            "name": parsed.name,
            "question": parsed.question,
            "trials": trials,
            "runs": runs,
        }
    return ready_made


def mlflow_url() -> str | None:
    """The URL of MLflow's own pages if this visitor has opened them already."""
    return st.session_state.get("_mlflow")


def _no_experiments() -> pd.DataFrame:
    return pd.DataFrame({"experiment_id": [], "name": [], "lifecycle": []})


@cached(without_store=_no_experiments)
def experiments(reader: Reader) -> pd.DataFrame:
    """[experiment_id, name, lifecycle] of every experiment; empty before there is a store."""
    return reader.experiments()


@cached()
def experiment_tags(reader: Reader, experiment_id: str) -> dict[str, str]:
    """The tags of an experiment."""
    return dict(reader.experiment_tags(experiment_id))


def roles(
    names: Sequence[str], experiment_ids: Sequence[str], goals: Iterable[tuple[str, str]] = ()
) -> dict[str, metric_roles.Role]:
    """What each of these metrics is: as said of the first of these experiments of which it was, else guessed.

    Args:
        names: The metrics.
        experiment_ids: Whose they are.
        goals: (metric, direction) of the sweeps that the runs belong to.
    """
    tags = (experiment_tags(experiment_id).get(ROLES_TAG, "") for experiment_id in experiment_ids)
    return metric_roles.roles(names, next(filter(None, tags), ""), goals, metrics.known())


def goals(parents: Iterable[str | None]) -> list[tuple[str, str]]:
    """The metric and the direction of each of these sweeps that is in the store.

    Args:
        parents: The runs' parents; what is no sweep is passed over.
    """
    wanted, frame = set(parents), sweeps()
    rows = frame[frame["sweep"].isin(wanted)] if len(frame) else frame
    return [(str(row["metric"]), str(row["direction"])) for row in rows.to_dict("records")]


def artifact(run_id: str, path: str) -> bytes:
    """The content of a run's file.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    return bytes(_reader(uri()).artifact(run_id, path))


@st.cache_data(show_spinner=False, max_entries=4, ttl=60)
def _read_only(uri: str) -> str | None:
    return read_only_because(uri)


def read_only() -> str | None:
    """Why the store can only be read, in one sentence; None where it can be written."""
    return _read_only(uri())


@cached(without_store=lambda: None)
def records(
    reader: Reader, sweeps: tuple[str, ...] = (), runs: tuple[str, ...] = (), groups: tuple[str, ...] = ()
) -> Records | None:
    """The runs of these sweeps, these runs and those of these groups, with all that was logged; or None."""
    selections = [Selection(sweep=sweep) for sweep in sweeps]
    selections += [Selection(tag=(schema.GROUP, group)) for group in groups]
    selections += [Selection(run_ids=runs)] if runs else []
    if not selections:
        return None
    parts = [reader.records(selection) for selection in selections]
    joined = [pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True)]
    keys = [["run_id"], *[["run_id", "key"]] * 3]
    return Records(*(frame.drop_duplicates(key) for frame, key in zip(joined, keys, strict=True)))


def spec_of(sweep: str) -> specs.Spec | None:
    """What the sweep is; nothing where its specification cannot be read."""
    try:
        return specs.parse(spec_text(sweep))
    except (specs.SpecError, OSError, ValueError):
        return None

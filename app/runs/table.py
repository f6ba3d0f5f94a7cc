"""The runs of an experiment as a table: what each column holds, which are worth showing, which rows are groups.

Frames in, frames out; no Streamlit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.runs.ranking import RUNNING
from analysis.runs.steps_and_times import duration_seconds
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL
from app.runs.incremental import HEARD, NAN, without_empty
from tracking import configurations, schema
from tracking.configurations import identities, identity, values_of
from tracking.labels import is_name
from tracking.schema import Outcome, State

ARCHIVED: Final = "archived"
"""The tag of runs that are put away; its value is of no account."""
SILENT_S: Final = 3600.0
"""A run that claims to be running and has logged nothing for so long is called silent."""
POINTS: Final = 30
"""Points of a sparkline."""
STATE, STARTED, SECONDS, SWEEP, NAME = "state", "started", "duration", "sweep", "name"
EXPERIMENT: Final = "experiment"
OWN: Final = (NAME, STATE, STARTED, SECONDS)
"""Columns that every run has, whoever logged it."""
_STATE: Final = f"tags.{schema.STATE}"
_ACTIVE: Final = [State.QUEUED, State.RUNNING, State.PAUSING, State.STOPPING]
GROUP, COUNTS = "group", "counts"
"""Columns that say which group a run is of, and whether it is in any."""


@dataclass(frozen=True)
class RunTable:
    """The runs of an experiment.

    `frame` has one row per run, newest first, with text and numbers as they were logged (`params.X`, `metrics.X`,
    `tags.X`) and the columns of OWN; `differing` names the params that are not the same in all of them,
    `varied` those of them that have two values or more, and are not only missing in some.
    """

    frame: pd.DataFrame
    params: list[str]
    metrics: list[str]
    tags: list[str]
    differing: list[str]
    varied: list[str]
    always: tuple[str, ...] = OWN
    active: bool = False
    """Whether a run of these trains, or a sweep is about to train some."""
    codes: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    """Param -> the number of each run's value, for the params that are not the same in all runs."""

    @property
    def columns(self) -> list[str]:
        """Everything that can be shown."""
        return [*self.always, *self.params, *self.metrics, *self.tags]

    @cached_property
    def telling(self) -> list[str]:
        """The columns worth showing for groups that are equal in everything but the seed."""
        by = _names_first([column for column in self.differing if not is_seed(column)])
        phase = f"tags.{schema.PHASE}"
        by += [phase] if phase in self.frame and self.frame[phase].nunique() > 1 else []
        shown = [column for column in by if column in self.varied or column == phase]
        counting = self.frame[COUNTS].to_numpy(dtype=bool)
        size = self.frame[GROUP][counting].nunique()

        def apart(columns: Sequence[str]) -> bool:
            codes = [
                self.codes[name] if name in self.codes else _numbers(self.frame[name], ours(self.frame))
                for name in columns
            ]
            return len(np.unique(_combined([numbers[counting] for numbers in codes], int(counting.sum())))) == size

        # What only lacks in some follows from another choice, unless that leaves two groups looking the same; one
        # configuration in two sweeps is two groups, which only their sweeps tell apart.
        ways = (shown, by, [*shown, SWEEP], [*by, SWEEP])
        return next((columns for columns in ways if apart(columns)), by)


@dataclass(frozen=True)
class _Param:
    """What one param is in all runs, each different value read once."""

    codes: np.ndarray
    """The number of each run's value."""
    values: list[Any]
    """The different values."""
    identities: list[str]
    """Their identities (see `configurations.identity`)."""

    @property
    def of_runs(self) -> np.ndarray:
        """The value of each run."""
        return pd.Series(self.values, dtype=object).to_numpy()[self.codes]

    @property
    def identities_of_runs(self) -> list[str]:
        """The identity of each run's value."""
        texts: list[str] = np.array(self.identities, dtype=object)[self.codes].tolist()
        return texts


def _read(column: pd.Series[Any], trained: np.ndarray) -> _Param:
    """One param as its texts are read: several texts may stand for one value.

    Args:
        column: The text of each run.
        trained: Which of the runs a sweep has trained.
    """
    text_codes, texts = pd.factorize(column.to_numpy(dtype=object), use_na_sentinel=False)
    # One text may stand for two values: in runs of sweeps and in those of others.
    pair_codes, pairs = pd.factorize(2 * text_codes + trained)
    values = values_of(_key(str(column.name)), texts[pairs // 2].tolist(), (pairs % 2).astype(bool).tolist())
    codes, different = pd.factorize(np.array(identities(values), dtype=object))
    first = np.unique(codes, return_index=True)[1]
    return _Param(codes[pair_codes], [values[place] for place in first], different.tolist())


def _numbers(column: pd.Series[Any], trained: np.ndarray) -> np.ndarray:
    """The number of each run's value in a column of any kind."""
    if str(column.name).startswith("params."):
        return _read(column, trained).codes
    return pd.factorize(np.array(column.tolist(), dtype=object), use_na_sentinel=False)[0]


def _combined(columns: Iterable[np.ndarray], rows: int) -> np.ndarray:
    """One number for each combination of the columns' numbers."""
    codes = np.zeros(rows, dtype=np.int64)
    for numbers in columns:
        codes, _ = pd.factorize(codes * (numbers.max(initial=0) + 1) + numbers)
    return codes


def _word(status: str, outcome: Any, superseded: bool, silence_s: float) -> str:
    if isinstance(outcome, str) and outcome:
        return f"{outcome}, superseded" if superseded else outcome
    if status == "RUNNING" and silence_s > SILENT_S:
        hours = silence_s / 3600
        return f"running, silent for {f'{hours:.0f} h' if hours < 48 else f'{hours / 24:.0f} days'}"
    return status.lower()


def _derived(frame: pd.DataFrame, now_ms: float) -> dict[str, Any]:
    last_heard = frame[HEARD].fillna(frame["start_time"].astype("float64"))
    silence = (now_ms - last_heard) / 1000
    empty = pd.Series([None] * len(frame), dtype=object)
    outcome = frame.get(f"tags.{schema.OUTCOME}", empty)
    superseded = frame.get(f"tags.{schema.SUPERSEDED_BY}", empty).notna()
    states = [
        _word(str(status), word, bool(gone), float(silent))
        for status, word, gone, silent in zip(frame["status"], outcome, superseded, silence, strict=True)
    ]
    started = pd.to_datetime(frame["start_time"].where(frame["start_time"] > 0), unit="ms", errors="coerce")
    return {
        STATE: states,
        STARTED: started,
        SECONDS: duration_seconds(frame["start_time"], frame["end_time"]).to_numpy(dtype="float64", na_value=np.nan),
        COUNTS: ~superseded.to_numpy(dtype=bool),
    }


def table_of(frame: pd.DataFrame, deleted: bool = False, experiments: Mapping[str, str] | None = None) -> RunTable:
    """The table of what was logged (`app.runs.incremental`), without the sweeps themselves.

    Args:
        frame: One row per run, by start.
        deleted: The deleted runs alone.
        experiments: Names by id, where the runs are of several experiments.
    """
    kind = f"tags.{schema.KIND}"
    sweeps = (frame[kind] == schema.SWEEP_KIND).to_numpy(dtype=bool) if kind in frame else np.zeros(len(frame), bool)
    waiting = _STATE in frame and bool(frame[_STATE][sweeps].isin(_ACTIVE).any())
    titles = dict(zip(frame["run_id"][sweeps], frame["name"][sweeps], strict=True))
    shown = ~sweeps
    if deleted:
        shown &= (frame["lifecycle"] == "deleted").to_numpy(dtype=bool)
    # By start, newest first.
    frame = frame.iloc[np.flatnonzero(shown)[::-1]].reset_index(drop=True)
    if not shown.all():
        frame = without_empty(frame)
    more = _derived(frame, time.time() * 1000) | {SWEEP: [titles.get(parent, "") for parent in frame["parent"]]}
    if experiments is not None:
        more[EXPERIMENT] = frame["experiment_id"].map(experiments).fillna(frame["experiment_id"]).astype(object)
    frame = pd.concat([frame, pd.DataFrame(more, index=frame.index)], axis=1)

    def named(prefix: str) -> list[str]:
        return [str(column) for column in frame if str(column).startswith(prefix)]

    params = named("params.")
    changing = [column for column in params if frame[column].nunique(dropna=False) > 1]
    trained = ours(frame)
    read = {column: _read(frame[column], trained) for column in changing}
    frame = frame.assign(**_grouping(frame, read))
    different = {column: set(param.identities) for column, param in read.items()}
    return RunTable(
        frame,
        params,
        named("metrics."),
        named("tags."),
        [column for column, texts in different.items() if len(texts) > 1],
        [column for column, texts in different.items() if len(texts - {identity(None)}) > 1],
        OWN if experiments is None else (NAME, EXPERIMENT, *OWN[1:]),
        waiting or any(word == RUNNING for word in frame[STATE]),
        {column: param.codes for column, param in read.items()},
    )


def _key(column: str) -> str:
    return column.removeprefix("params.")


def ours(frame: pd.DataFrame) -> np.ndarray:
    """Which of the runs a sweep has trained."""
    kind = f"tags.{schema.KIND}"
    return (frame[kind] == schema.RUN_KIND).to_numpy(dtype=bool) if kind in frame else np.zeros(len(frame), dtype=bool)


def _grouping(frame: pd.DataFrame, read: Mapping[str, _Param]) -> dict[str, Any]:
    """The group of each run, and whether it counts: what only sums up its child runs is in no group."""
    params = pd.DataFrame({_key(column): param.of_runs for column, param in read.items()}, index=range(len(frame)))
    texts = {_key(column): param.identities_of_runs for column, param in read.items()}
    tag = f"tags.{schema.GROUP}"
    tagged = frame[tag].fillna("").tolist() if tag in frame else [""] * len(frame)
    parents = frame["parent"].fillna("").tolist()
    metrics = frame[[column for column in frame if str(column).startswith("metrics.")]]
    sums = configurations.summaries(frame["run_id"].tolist(), parents, params, metrics)
    return {
        GROUP: configurations.groups_of_identities(texts, tagged, parents),
        COUNTS: frame[COUNTS].to_numpy(dtype=bool) & ~np.array(sums, dtype=bool),
    }


def names_of(experiments: pd.DataFrame) -> dict[str, str]:
    """The experiments' names, by id."""
    return dict(zip(experiments["experiment_id"], experiments["name"], strict=True))


def is_seed(column: str) -> bool:
    """Whether a param is a seed by its name."""
    return configurations.is_seed(_key(column))


def typed(values: pd.Series[Any]) -> pd.Series[Any]:
    """Params as numbers where all present ones are plain numbers, so that 10 comes after 9; anything else as it is."""
    if values.dtype.kind not in "OTU" and not isinstance(values.dtype, pd.StringDtype):
        return values
    key, texts = _key(str(values.name)), values.dropna().unique().tolist()
    if not configurations.all_plain_numbers(key, texts):
        return values
    return pd.Series(values_of(key, values.tolist()), values.index, "float64", values.name)


def finite(values: pd.Series[Any]) -> np.ndarray:
    """Which metrics are numbers: neither nan nor infinite."""
    return np.isfinite(values.to_numpy(dtype="float64", na_value=np.nan))


def _names_first(columns: Sequence[str]) -> list[str]:
    return sorted(columns, key=lambda column: not is_name(_key(column)))


def common_first(table: RunTable, columns: Sequence[str]) -> list[str]:
    """The columns in their order, those that most runs lack after the others."""
    return sorted(columns, key=lambda column: 2 * int(table.frame[column].count()) < len(table.frame))


def default_columns(table: RunTable, main: Sequence[str], params: int = 6, metrics: int = 4) -> list[str]:
    """The columns that differ and say most: a few params, one seed, the main metrics.

    Args:
        table: The runs.
        main: Metrics (`metrics.X`), the most telling first.
        params: The most params.
        metrics: The most metrics.
    """
    chosen = common_first(table, _names_first([column for column in table.varied if not is_seed(column)]))[:params]
    seeds = common_first(table, [column for column in table.varied if is_seed(column)])[:1]
    telling = [
        column for column in list(main)[: 5 * metrics] if table.frame[column].nunique() > 1 or len(main) < metrics
    ]
    return [*chosen, *seeds, *telling[:metrics]]


def shape_of(histories: pd.DataFrame) -> pd.DataFrame:
    """The shape of one metric's curves, by run id: `min`, `max` and `curve` (at most POINTS values, with both ends)."""
    if histories.empty:
        return pd.DataFrame({"min": pd.Series(dtype=float), "max": pd.Series(dtype=float), "curve": []})
    logged = histories[finite(histories["value"])]
    runs, values = logged["run_id"].to_numpy(), logged["value"].to_numpy(dtype=float)
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]]) if len(runs) else np.array([], dtype=int)
    ends = np.r_[starts[1:], len(runs)] if len(runs) else starts
    curves = [
        values[start:end] if end - start <= POINTS else values[np.linspace(start, end - 1, POINTS).round().astype(int)]
        for start, end in zip(starts, ends, strict=True)
    ]
    return pd.DataFrame(
        {
            "min": np.minimum.reduceat(values, starts) if len(starts) else [],
            "max": np.maximum.reduceat(values, starts) if len(starts) else [],
            "curve": [curve.tolist() for curve in curves],
        },
        index=pd.Index(runs[starts], name="run_id"),
    )


def groups(frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str], shown: Sequence[str] = ()) -> pd.DataFrame:
    """One row per group of runs that are equal in `by`, in the order of their first run.

    Means and intervals are over the finite runs that ended well; of the runs that did, or diverged, `finite` says how
    many are finite ("2 of 3"), by the first of `metrics`; `others` names the rest. Runs that do not count are in no
    group: superseded ones, and those that only sum up their child runs.

    Args:
        frame: Rows of `RunTable.frame`.
        by: Columns.
        metrics: Columns to average, the one that the runs are judged by first.
        shown: More columns of which a group shows what its first run has.

    Returns:
        Columns: those of `by` and `shown`; for each metric its mean under its own name and `± metric`, half of the 95%
        t-interval, from three runs on; n, finite, others, judged (how many ended well or diverged), runs (their ids).
    """
    from analysis.statistics import t_quantile

    frame = frame[frame[COUNTS].astype(bool)].reset_index(drop=True)
    codes = _combined((_numbers(frame[column], ours(frame)) for column in by), len(frame))
    size = int(codes.max()) + 1 if len(codes) else 0
    first = np.unique(codes, return_index=True)[1]
    result = {column: frame[column].iloc[first].array for column in dict.fromkeys([*by, *shown])}
    state = frame[STATE].astype(str).to_numpy()
    well = np.isin(state, [Outcome.OK.value, "finished"])
    diverged = state == Outcome.DIVERGED.value
    judged_finite = np.zeros(len(frame), dtype=bool)
    for place, metric in enumerate(metrics):
        values = frame[metric].to_numpy(dtype="float64", na_value=np.nan)
        good = finite(frame[metric]) & well
        if place == 0:
            judged_finite = good
            # A value that is there and no number has diverged, whatever the run says; one that is not there has not.
            logged = frame[metric].notna() | frame.get(f"{NAN}{metric}", False)
            diverged = diverged | (well & ~good & logged.to_numpy(dtype=bool))
        n = np.bincount(codes[good], minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(codes[good], weights=values[good], minlength=size) / n
            squares = np.bincount(codes[good], weights=(values[good] - mean[codes[good]]) ** 2, minlength=size)
            half = t_quantile(0.975, np.maximum(n - 1, 1)) * np.sqrt(squares / (n - 1) / n)
        result[metric] = np.where(n > 0, mean, math.nan)
        result[f"± {metric}"] = np.where(n >= ENOUGH_FOR_AN_INTERVAL, half, math.nan)
        if place == 0:
            result["n"] = n
    good_count = np.bincount(codes[judged_finite], minlength=size)
    judged = good_count + np.bincount(codes[diverged & ~judged_finite], minlength=size)
    result["finite"] = [f"{good} of {of}" if of else "–" for good, of in zip(good_count, judged, strict=True)]
    result["judged"] = judged
    rest = ~(judged_finite | diverged)
    words: list[dict[str, int]] = [{} for _ in range(size)]
    for code, word in zip(codes[rest], state[rest], strict=True):
        short = RUNNING if word.startswith(RUNNING) else "without a value" if word in ("ok", "finished") else word
        words[code][short] = words[code].get(short, 0) + 1
    result["others"] = [", ".join(f"{count} {word}" for word, count in sorted(counts.items())) for counts in words]
    ids: list[list[str]] = [[] for _ in range(size)]
    for code, run_id in zip(codes, frame["run_id"], strict=True):
        ids[code].append(str(run_id))
    result["runs"] = ids
    if "n" not in result:
        result["n"] = np.bincount(codes, minlength=size) if size else np.array([], dtype=int)
    return pd.DataFrame(result)

"""What the pages on bias and variance, optimizers and regularization share: the runs, their metrics, the figures.

A page takes any sweeps, groups or runs that the address names. It needs to know which metric is the error on validation
data and which on training data: known for runs of sweeps, guessed for those of others, chosen by the user, and
remembered for the experiment.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from analysis.figures import export
from analysis.figures.info import FigureInfo
from analysis.runs.comparison import Comparison, groups_of
from analysis.runs.metric_roles import Role, judged_on, nothing_to_judge_by, ordered
from analysis.runs.metric_slots import SLOTS, TRUTH, Slots
from analysis.runs.steps_and_times import repeats_of, repeats_sentence
from analysis.search.confirmed import confirms, judged_by_confirm
from app.shared import claims, downloads, headline, selection, service_line, store, ui
from app.shared.metrics import legend, tasks_of
from app.shared.selection import View
from app.shared.study_pages import PAGES
from app.study.metrics import Metrics, choose, first
from sweeps.spec import Spec
from tracking import schema
from tracking.legible import spelled_out
from tracking.store import StoreError

_JUDGED_BY: Final = "The error that is spoken of: on validation data if there are any."
SHOWN: Final = {"displaylogo": False, "displayModeBar": False, "responsive": True}


def _legible_texts(values: np.ndarray) -> np.ndarray:
    """The array itself, or one of legible texts if it holds text."""
    return np.vectorize(spelled_out, otypes=[object])(values).astype(str) if values.dtype.kind == "U" else values


# Shared and not copied, which would take longer than reading: nobody may change the arrays that it returns.
@st.cache_resource(show_spinner=False, max_entries=4096)
def _arrays(uri: str, run_id: str, file: str, ended: float) -> dict[str, np.ndarray] | None:
    """The arrays of a run's file; None where it has no such file, or one that cannot be read.

    Args:
        uri: The store.
        run_id: The run.
        file: A path among its artifacts.
        ended: When the run ended: one that ended again is read again.
    """
    try:
        with np.load(io.BytesIO(store.artifact(run_id, file)), allow_pickle=False) as content:
            return {spelled_out(name): _legible_texts(content[name]) for name in content.files}
    except (OSError, ValueError, EOFError, StoreError, zipfile.BadZipFile):
        return None


@dataclass(frozen=True)
class Study:
    """The runs of one page, with the roles of their metrics."""

    page: str
    comparison: Comparison
    """All runs, search and confirm runs alike."""
    view: View
    """Those that groups are judged by: confirm runs where there are some, judged by the metric in the slot `dev`."""
    slots: Slots
    specs: Mapping[str, Spec]
    """The specifications of the sweeps, by id, as far as they can be read."""

    @property
    def sweeps(self) -> dict[str, str]:
        """The sweeps' names, by id."""
        return self.view.sweeps

    @cached_property
    def claims(self) -> list[claims.Judged]:
        """What the sweeps claim, with the verdict of the runs."""
        return claims.of_comparison(self.comparison, self.specs)

    @cached_property
    def tasks(self) -> list[str]:
        """The tasks that the runs were trained for; none where that is not known."""
        return tasks_of(self.comparison.params)

    @property
    def active(self) -> bool:
        """Whether one of its runs trains, or one of its sweeps is to train some."""
        return self.view.active

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run that counts.

        Columns: run_id, name, experiment_id, parent, trial, seed, seed_data, seed_init (-1: unknown), group, label,
        phase, outcome (by the metric in the slot `dev`), start_time, end_time, objective; a column per slot with its
        last value as an error (nan where it was not logged); a column per param, by its dotted key.
        """
        runs, groups = self._whole
        labels = {group.group: group.label for group in groups}
        keep = runs["counts"].to_numpy(dtype=bool)
        frame = self.comparison.runs.drop(columns=["counts"]).assign(
            group=runs["group"].to_numpy(),
            label=runs["group"].map(labels).to_numpy(),
            outcome=runs["outcome"].to_numpy(),
        )
        names = {slot: self.slots[slot] for slot in (*SLOTS, *TRUTH)}
        slots = {slot: self.slots.error(name, self.comparison.last(name)) for slot, name in names.items()}
        return pd.concat([frame, pd.DataFrame(slots), self.comparison.params], axis=1)[keep].reset_index(drop=True)

    @cached_property
    def _whole(self) -> tuple[pd.DataFrame, Sequence[Any]]:
        groups, runs = groups_of(self.comparison, self.view.metric, self.view.direction, sweeps=self.sweeps)
        return runs, groups

    @property
    def search(self) -> pd.DataFrame:
        """The runs of the search: those of `runs` that are no confirm runs."""
        return self.runs[~confirms(self.runs)].reset_index(drop=True)

    @property
    def judged(self) -> pd.DataFrame:
        """The runs that groups are judged by: without the search runs of sweeps whose winners are confirmed."""
        return self.runs[self.runs["run_id"].isin(self.view.runs["run_id"])].reset_index(drop=True)

    @property
    def axes(self) -> list[str]:
        """The params in which the runs differ, those that were searched first."""
        lead = self.comparison.searched
        return [*lead, *[key for key in self.comparison.differing if key not in lead]]

    @property
    def numeric_axes(self) -> list[str]:
        """The axes whose values are numbers."""

        def numeric(key: str) -> bool:
            values = [value for value in self.comparison.params[key] if value is not None]
            return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)

        return [key for key in self.axes if numeric(key)]

    def histories(self, metric: str, run_ids: Iterable[str] | None = None) -> pd.DataFrame:
        """Every logged value [run_id, key, step, time, value], by step.

        Args:
            metric: A metric, or a slot: its values are then errors.
            run_ids: Of these runs; of all that count if not given.
        """
        name = self.slots[metric] if metric in SLOTS else metric
        ids = tuple(self.runs["run_id"] if run_ids is None else run_ids)
        if not name or not ids:
            return pd.DataFrame({"run_id": [], "key": [], "step": [], "time": [], "value": []})
        histories = store.histories(ids, name)
        return histories.assign(value=self.slots.error(name, histories["value"])) if metric in SLOTS else histories

    @cached_property
    def logged_again(self) -> str:
        """A sentence on the runs that logged the error at a step more than once; nothing where none did.

        Runs of sweeps never do. More than `selection.MOST_READ` runs are not looked through.
        """
        elsewhere = selection.trained_elsewhere(self.judged, self.sweeps)
        if not 0 < len(elsewhere) <= selection.MOST_READ:
            return ""
        return repeats_sentence(repeats_of(self.histories("dev", elsewhere), elsewhere))

    def arrays(self, file: str, run_ids: Iterable[str] | None = None) -> dict[str, dict[str, np.ndarray]]:
        """Run -> the arrays of one of its files, such as `schema.LAYERS_FILE`; without runs that have none.

        Args:
            file: A path among the artifacts.
            run_ids: Of these runs; of all that ended ok if not given.
        """
        ok = self.runs[self.runs["outcome"] == schema.Outcome.OK]
        chosen = ok if run_ids is None else ok[ok["run_id"].isin(list(run_ids))]
        ends = pd.to_numeric(chosen["end_time"], errors="coerce").fillna(0).astype(float)
        by_run = {
            str(run): _arrays(store.uri(), str(run), file, end) for run, end in zip(chosen["run_id"], ends, strict=True)
        }
        return {run: arrays for run, arrays in by_run.items() if arrays is not None}

    def link(self) -> str:
        """The end of a URL that opens this page as it is."""
        return selection.link(self.page)


# Opening a page


def offer(page: str, only: Sequence[str] | None = None) -> None:
    """Draw the ready-made sweeps that fill a page, each with its question and one button.

    Args:
        page: A key of PAGES.
        only: These of them; all if not given.
    """
    labs = store.labs()
    stems = [stem for stem in (PAGES[page].labs if only is None else only) if stem in labs]
    with st.grid("auto", min_column_width=260, gap="medium"):
        for stem in stems:
            with st.container(border=True, height="stretch", gap="small"):
                st.markdown(f"**{ui.text(labs[stem]['name'])}**")
                st.markdown(ui.text(ui.asked(labs[stem]["question"])))
                st.space("stretch")
                with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                    st.caption(ui.count(labs[stem]["runs"], "run"), width="stretch")
                    about = f"Launch {ui.text(labs[stem]['name'])}"
                    if st.button("Launch", key=f"offer-{stem}", icon=":material/play_arrow:", help=about):
                        service_line.launch(labs[stem]["text"])


def _nothing(page: str, address: selection.Address, otherwise: Callable[[], None] | None) -> None:
    """Draw the page without runs, and end it."""
    if not address.empty:
        st.markdown("This store has none of the runs that the address names, or none of them counts any more.")
        if st.button("Choose others", type="primary"):
            ui.go(page, {})
        st.stop()
    st.markdown(PAGES[page].question)
    if len(store.sweeps()):
        selection.picker(address, page)
    st.subheader("Ready-made", anchor=False)
    offer(page)
    if otherwise is not None:
        otherwise()
    st.stop()


def _bar(page: str, address: selection.Address, comparison: Comparison, metrics: Metrics, slots: Slots) -> Slots:
    """Draw the controls above the page; returns the slots as they are chosen."""
    judges = list(dict.fromkeys([slots.dev, *metrics.judges]))
    if len(judges) > 1:
        st.selectbox(
            "Judged by", judges, judges.index(slots.dev), key="dev", bind="query-params", width=180,
            label_visibility="collapsed", help=ui.text(f"{_JUDGED_BY} {legend(tasks_of(comparison.params))}"),
        )  # fmt: skip
    with st.popover("Metrics", icon=":material/tune:", help="Which metric is which."):
        slots = choose(metrics, slots)
    with st.popover("Change", icon=":material/edit:", help="Other sweeps."):
        selection.picker(address, page)
    where = {"sweep": ",".join(address.sweeps)} if address.sweeps else {"runs": ",".join(comparison.runs["run_id"])}
    if st.button("Compare", icon=":material/compare_arrows:", key="to-compare", help="The same runs side by side."):
        ui.go("compare", where)
    return slots


def _view(comparison: Comparison, slots: Slots, sweeps: Mapping[str, str]) -> View:
    judged = judged_by_confirm(comparison)
    direction = schema.MAXIMIZE if slots.dev in slots.turned else schema.MINIMIZE
    groups, runs = groups_of(judged, slots.dev, direction, sweeps=sweeps)
    return View(
        judged, runs, slots.dev, direction, groups, groups[: selection.MOST_DRAWN], False, None, False, dict(sweeps)
    )


def opened(page: str, otherwise: Callable[[], None] | None = None) -> Study:
    """Draw the page's title and return the runs that the address names; without any, offer what fills it and end.

    Args:
        page: A key of PAGES.
        otherwise: Draws what the page has to show without runs, below the offer.
    """
    address = selection.from_url()
    st.title(PAGES[page].title, anchor=False)
    comparison = None if address.empty else selection.load(address)
    if comparison is None:
        _nothing(page, address, otherwise)
    assert comparison is not None
    metrics = Metrics.of(comparison)
    slots = first(metrics)
    if not slots.dev:
        st.markdown(nothing_to_judge_by(metrics.roles) if metrics.roles else "These runs logged no metric.")
        if metrics.roles:
            st.selectbox(
                "Judged by", ordered(metrics.roles), None, key="dev", bind="query-params", width=260,
                placeholder="choose a metric",
            )  # fmt: skip
        offer(page)
        st.stop()
    about = store.sweeps()
    sweeps = dict(zip(about["sweep"], about["name"], strict=True)) if len(about) else {}
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        words = st.container(width="content")
        with st.container(horizontal=True, gap="xsmall", width="content", vertical_alignment="center"):
            slots = _bar(page, address, comparison, metrics, slots)
    specs = {sweep: store.spec_of(sweep) for sweep in dict.fromkeys(comparison.runs["parent"]) if sweep in sweeps}
    study = Study(
        page,
        comparison,
        _view(comparison, slots, sweeps),
        slots,
        {sweep: spec for sweep, spec in specs.items() if spec is not None},
    )
    words.markdown(headline.about(study.view, study.view.groups))
    return study


def head(study: Study, answer: str, *notes: str, pairwise: bool = True) -> None:
    """Draw the claims with their verdict, else the page's answer in one sentence; in red what else differs.

    Args:
        study: The runs.
        answer: Plain text.
        notes: What else is to be known of the answer, plain text.
        pairwise: Whether the answer is a verdict on groups. Where a claim stands, pairs belong to the Compare page,
            with a correction for all of them; any other answer stands below the claim.
    """
    words = ui.text(f"{answer} {study.slots.assumption}".strip())
    if not claims.headline(study.claims):
        st.markdown(f"## {words}")
    elif not pairwise:
        st.markdown(words)
    for note in filter(None, [*notes, judged_on(Role(study.slots.part)), study.logged_again]):
        st.caption(ui.text(note))
    headline.grown(study.view)
    headline.guard(study.view)


# Drawing


def empty(words: str, page: str = "", labs: Sequence[str] = ()) -> None:
    """Draw a figure's place with what is missing for it, and the ready-made sweeps that would fill it."""
    st.container(border=True, height=180, horizontal_alignment="center", vertical_alignment="center").caption(
        ui.text(words), text_alignment="center"
    )
    if labs:
        offer(page, labs)


def chart(
    study: Study, key: str, draw: Callable[[bool], Any], numbers: pd.DataFrame, *, shows: str, n: str, interval: str,
    reading: str,
) -> None:  # fmt: skip
    """Draw a chart whose words the page writes: one sentence on how to read it, and its downloads.

    Args:
        study: The runs that it is made of.
        key: A name that no other figure of the page has.
        draw: Makes the plotly figure; given whether the page is dark.
        numbers: What it is drawn from.
        shows: What is to be seen, for the caption in a document and for those who cannot see the chart.
        n: `n=8 seeds each`.
        interval: What the bands or bars are; nothing where there is none.
        reading: How to read it, plain text.
    """
    st.plotly_chart(draw(ui.dark()), key=key, theme=None, config=SHOWN, alt=ui.text(shows))
    st.caption(ui.text(reading))
    caption: export.Caption = downloads.caption_of(study.comparison, study.sweeps, shows, n, interval, study.link())
    downloads.buttons(key, numbers, lambda: draw(False), caption)


def figure(
    study: Study, key: str, info: FigureInfo, plot: Callable[..., Any], *, n: str | None = None,
    numbers: pd.DataFrame | None = None,
) -> None:  # fmt: skip
    """Draw a chart of an info, with the info's words and downloads.

    Args:
        study: The runs that it is made of.
        key: A name that no other figure of the page has.
        info: The numbers, and what they say of themselves.
        plot: Draws them: `plot(info, dark=True)` makes the plotly figure.
        n: How many values the figure rests on, where the page counts others than the info does.
        numbers: The table to download, where it is not `info.frame()`.
    """
    chart(
        study, key, lambda dark: plot(info, dark=dark), info.frame() if numbers is None else numbers,
        shows=info.shows, n=info.n if n is None else n, interval=info.interval, reading=info.reading,
    )  # fmt: skip


def axis_picker(label: str, options: Sequence[str], default: str | None, key: str, help: str = "") -> str | None:
    """Draw the choice of a figure's axis among params; None where there is none to choose."""
    if not options:
        return None
    place = options.index(default) if default in options else 0
    return st.selectbox(label, list(options), place, key=key, bind="query-params", width=300, help=help or None)

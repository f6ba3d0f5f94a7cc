"""What the Compare page shows below its figure: the ranked table, one pair, the params side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analysis.figures import export, theme
from analysis.runs.params import against, half, side_by_side
from analysis.runs.ranking import answer, places
from analysis.statistics import number
from analysis.statistics.samples import repeats_words
from analysis.statistics.seeds import MOST_COMPARED, too_many, too_many_words
from analysis.statistics.standings import Standing, Standings, standings
from analysis.statistics.verdicts import Verdict, verdict
from analysis.words import listed
from app.shared import claims, metrics, store, ui
from app.shared.claims import Judged
from app.shared.selection import View, mlflow_compare
from sweeps.client import CommandError


def _height(rows: int, most: int) -> int:
    return min(38 + 30 * max(1, rows), most)


def ranked(view: View) -> Standings | None:
    """The groups with their verdicts; None where there are too many of them or only one."""
    groups = view.samples(view.tested)
    return standings(groups, direction=view.direction, metric=view.metric) if len(groups) > 1 else None


_NAME_SOME = f"name up to {MOST_COMPARED} of them, chosen before you look at their results"


def headline(view: View, ranking: Standings | None, judged: Sequence[Judged]) -> None:
    """Draw the claims with their verdicts, then how all pairs stand: the head of the page where nothing is claimed.

    Args:
        view: What is compared.
        ranking: Its groups with their verdicts, if they were tested.
        judged: The claims of the sweeps that the address names.
    """
    words = ranking.sentence if ranking is not None else answer(view.groups, view.metric, over=True)
    repeats = repeats_words(view.samples(view.groups))
    words = ui.text(" ".join(filter(None, (words, repeats, view.assumption))))
    if not claims.headline(judged):
        st.markdown(f"## {words}")
    elif words not in {ui.text(claim.info.sentence) for claim in judged}:  # else the one pair is what is claimed
        st.markdown(
            f"All pairs against each other: {words}" if ranking is not None and len(ranking.rows) > 2 else words
        )
    if view.judged_on:
        st.caption(view.judged_on)
    if ranking is None and too_many(len(view.groups)):
        st.caption(too_many_words(len(view.groups), "groups", _NAME_SOME))


def _between(ranking: Standings | None, a: str, b: str) -> Verdict | None:
    """The corrected verdict on two groups, in either order; None where they were not tested."""
    if ranking is None:
        return None
    places = {row.name: place for place, row in enumerate(ranking.rows)}
    if a not in places or b not in places or a == b:
        return None
    return ranking.verdicts.get((min(places[a], places[b]), max(places[a], places[b])))


def _judged(ranking: Standings | None, label: str, base: str) -> str:
    result = _between(ranking, label, base)
    if result is None:
        return ""
    if not result.decided:
        return str(result.decision)
    better = (str(result.decision) == "better") == (result.a == label)
    return "better" if better else "worse"


def _tied(row: Standing | None, groups: int) -> str:
    if row is None:
        return "not among those named"
    return "all others" if len(row.tied) == groups - 1 > 1 else listed(row.tied)


def _about_mean(view: View) -> str:
    says = metrics.meaning(view.metric, metrics.tasks_of(view.comparison.params))
    return ui.text(f"Mean over the finite runs. {says}")


def table(view: View, ranking: Standings | None) -> None:
    """Draw all groups, best first, with ties, and how far each is from the baseline."""
    st.subheader("Ranking", anchor=False)
    groups = view.groups
    rows = {row.name: row for row in ranking.rows} if ranking else {}
    colours, colour_of = theme.palette(ui.dark()), theme.colour_indices(group.method for group in groups)
    data: dict[str, list[Any]] = {
        "●": ["●"] * len(groups),
        "place": places(groups, ranking),
        "group": [group.label for group in groups],
        "mean": [group.interval.mean for group in groups],
        "±": [group.interval.half if group.interval.shown else math.nan for group in groups],
        "seeds": [group.seeds for group in groups],
    }
    base = view.baseline
    if base is not None:
        apart = against({sample.name: sample for sample in view.samples(groups)}, base.label)
        gaps = [apart.get(group.label) for group in groups]
        data["difference"] = [gap.interval.mean if gap else math.nan for gap in gaps]
        data["± of it"] = [half(gap) for gap in gaps]
        data["against baseline"] = [
            "baseline" if group is base else _judged(ranking, group.label, base.label) for group in groups
        ]
    if ranking is not None:
        data["tied"] = [_tied(rows.get(group.label), len(rows)) for group in groups]
    data["remarks"] = [group.remarks for group in groups]
    frame = pd.DataFrame(data)
    if not frame["remarks"].astype(bool).any():
        frame = frame.drop(columns="remarks")
    tints = [f"color: {colours[colour_of[group.method]]}" for group in groups]
    st.dataframe(
        frame.style.apply(lambda _: tints, subset=["●"]), hide_index=True, key="standings", row_height=30,
        height=_height(len(frame), 420), placeholder="", alt="Groups, best first",
        column_config={
            "●": st.column_config.TextColumn("", width=28, help="Its colour in the figure"),
            "place": st.column_config.TextColumn(width=56, help="1–3: it may be the first or the third"),
            "group": st.column_config.TextColumn(width="medium"),
            "mean": st.column_config.NumberColumn(view.metric, format="%.4g", help=_about_mean(view)),
            "±": st.column_config.NumberColumn("±", format="%.2g", width=66, help="Half of the 95% t-interval"),
            "seeds": st.column_config.TextColumn(width=70, alignment="right", help="Finite runs of those that ended"),
            "difference": st.column_config.NumberColumn(
                "minus baseline", format="%+.3g", help="Mean difference: seed from seed where both have it"
            ),
            "± of it": st.column_config.NumberColumn(
                "±", format="%.2g", width=66, help="Half of the difference's 95% t-interval"
            ),
            "against baseline": st.column_config.TextColumn(width=120, help="By interval and exact test, corrected"),
            "tied": st.column_config.TextColumn(
                "cannot be told from", width="medium", help="No verdict between them, or too few seeds for one"
            ),
        },
    )  # fmt: skip
    with st.container(horizontal=True, gap="xsmall"):
        st.download_button(
            "Groups", lambda: export.csv(frame.drop(columns="●")), "groups.csv", "text/csv", key="csv-groups",
            on_click="ignore", icon=":material/download:", type="tertiary", help="This table as CSV.",
        )  # fmt: skip
        st.download_button(
            "Runs", lambda: export.csv(_whole(view)), "runs.csv", "text/csv", key="csv-runs", on_click="ignore",
            icon=":material/download:", type="tertiary", help="A row a run with every param and last metric, as CSV.",
        )  # fmt: skip


def _whole(view: View) -> pd.DataFrame:
    runs = view.runs[["run_id", "name", "group", "seed", "outcome", "counts"]].reset_index(drop=True)
    label = runs["group"].map(view.labels)
    return pd.concat([runs.assign(group=label), view.comparison.params, view.comparison.metrics], axis=1)


def pair(view: View, ranking: Standings | None) -> None:
    """Draw one pair: the sentence, the interval, the exact test."""
    labels = [group.label for group in view.groups if group.judged]
    if len(labels) < 2:
        return
    st.subheader("One pair", anchor=False)
    second = view.baseline.label if view.baseline and view.baseline.label in labels[1:] else labels[1]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        first = st.selectbox("This", labels, 0, key="a", bind="query-params", width=260)
        other = st.selectbox("against", labels, labels.index(second), key="b", bind="query-params", width=260)
        planned = st.toggle(
            "Chosen before the results were seen", False, key="planned", bind="query-params",
            help="Then it is the one comparison and needs no correction for the others.",
        )  # fmt: skip
        margin = st.number_input(
            "Margin", min_value=0.0, value=None, key="margin", bind="query-params", width=130, placeholder="none",
            format="%g", help="A difference that would not matter: with one, “no difference” can be shown.",
        )  # fmt: skip
    if first == other:
        st.markdown("Choose two different ones.")
        return
    by_name = {sample.name: sample for sample in view.samples([g for g in view.groups if g.label in (first, other)])}
    corrected = _between(ranking, first, other)
    if not planned and corrected is not None and margin:
        corrected = _between(
            standings(view.samples(view.tested), direction=view.direction, metric=view.metric, margin=margin),
            first,
            other,
        )
    result = corrected if not planned and corrected is not None else None
    result = result or verdict(
        by_name[first], by_name[other], direction=view.direction, metric=view.metric, margin=margin or None
    )
    st.markdown(f"**{ui.text(result.sentence)}**")
    numbers(result, first == result.a, view.metric)
    if not planned and corrected is None:
        more = len(labels) * (len(labels) - 1) // 2
        many = f", though chosen from {ui.count(more, 'pair')} after their results were seen" if more > 1 else ""
        st.caption(f"Not corrected for the other pairs{many}: expect it to flatter.")


def numbers(result: Verdict, forward: bool, metric: str) -> None:
    """Draw the numbers behind a verdict, in a row.

    Args:
        result: The verdict.
        forward: Whether its first group is the one that was asked for first.
        metric: What the results are called.
    """
    difference = result.difference
    more, about = _seeds_words(result)
    mean = difference.interval.mean if forward else -difference.interval.mean
    low, high = (
        (difference.interval.low, difference.interval.high)
        if forward
        else (-difference.interval.high, -difference.interval.low)
    )
    span = f"{number(low, 3)} to {number(high, 3)}" if difference.interval.shown else "no interval below three"
    facts = [
        ("Difference", number(mean, 3), f"{metric}, this minus the other"),
        ("Interval", span, difference.kind if difference.interval.shown else f"n={difference.n}"),
        ("Exact p", "–" if math.isnan(result.p) else number(result.p, 2), _test_words(result)),
        ("Least p possible", number(result.least_p, 2), f"with n={result.n}"),
        ("More seeds", more, about),
    ]
    with st.grid("auto", min_column_width=150, gap="small"):
        for name, value, about in facts:
            with st.container(gap=None):
                st.caption(name)
                st.markdown(f"**{ui.text(value)}**  \n:small[:gray[{ui.text(about)}]]")


def _test_words(result: Verdict) -> str:
    corrected = f", Holm over {result.comparisons} pairs" if result.comparisons > 1 else ""
    return f"{result.test.name}{corrected}"


def _seeds_words(result: Verdict) -> tuple[str, str]:
    """How many more seeds make a verdict possible, and how many would find the difference."""
    power = f"about {result.about:,} in all would find a difference of this size" if result.about else ""
    if result.more is None:
        return "–", "all results are the same: no number can be named"
    if not result.more:
        return "none needed" if result.settled else "–", power
    return f"at least {result.more:,}", "; ".join(
        filter(None, [f"make{'s' if result.more == 1 else ''} a verdict possible", power])
    )


def params(view: View) -> None:
    """Draw the params that differ, side by side; cells that differ from the baseline stand out."""
    st.subheader("Parameters", anchor=False)
    everything = st.toggle("Those that are equal too", False, key="equal", bind="query-params")
    sides = side_by_side(view.comparison, view.runs, view.drawn, everything=everything)
    if not len(sides.frame):
        words = "have no parameters" if not sides.same else f"agree in {ui.count(sides.same, 'parameter')}"
        st.caption(f"These {'runs' if view.single else 'groups'} {words}.")
        return
    base = view.baseline.label if view.baseline is not None else None
    accent = theme.translucent(theme.palette(ui.dark())[0], 0.22)

    def marked(row: pd.Series[Any]) -> list[str]:
        if base is None:
            return [""] * len(row)
        return [
            "" if name == "param" or row[name] == row[base] else f"background-color: {accent}" for name in row.index
        ]

    columns: dict[str, Any] = {"param": st.column_config.TextColumn("parameter", pinned=True, width=170)}
    for group in view.drawn:
        columns[group.label] = st.column_config.TextColumn(group.label, width=120)
    st.dataframe(
        sides.frame.style.apply(marked, axis=1), hide_index=True, key="params", row_height=30, placeholder="",
        height=_height(len(sides.frame), 420), column_config=columns, alt="Parameters side by side",
    )  # fmt: skip
    equal = f"{ui.count(sides.same, 'more parameter')} {'is' if sides.same == 1 else 'are'} equal in all of them."
    tinted = " Tinted cells differ from the baseline." if base is not None else ""
    st.caption((equal if sides.same and not everything else "") + tinted)


def open_in_mlflow(runs: pd.DataFrame) -> None:
    """Draw the button that opens the same runs in MLflow's compare page."""
    address = store.mlflow_url()
    if address:
        st.link_button("MLflow", mlflow_compare(address, runs), icon=":material/open_in_new:", help=_MLFLOW)
        return
    if st.button("MLflow", key="do-mlflow", icon=":material/open_in_new:", help=_MLFLOW):
        try:
            with st.spinner("Starting MLflow's own pages"):
                st.session_state["_mlflow"] = store.mlflow_page()
        except (CommandError, OSError) as error:
            st.error(ui.text(error))
            return
        # Within the moment in which a browser still takes it for the answer to the click; else the link is there.
        target = mlflow_compare(st.session_state["_mlflow"], runs)
        st.html(
            f"<script>window.open({in_script(target)}, '_blank', 'noopener')</script>", unsafe_allow_javascript=True
        )
        st.link_button("Open in MLflow", target)


_MLFLOW = "The same runs in MLflow's own compare page, in a new tab."


def in_script(text: str) -> str:
    """A text as a JavaScript string, which no quote and no tag in it can end."""
    return (
        '"'
        + "".join(letter if letter.isalnum() or letter in ":/#?=&%.-_" else f"\\u{ord(letter):04x}" for letter in text)
        + '"'
    )

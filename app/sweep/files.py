"""The files of a sweep: how much space they take, and how to delete them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.shared import store, ui
from sweeps.client import CommandError
from tracking.schema import SPEC_FILE, TRIALS_FILE, WEIGHTS_FILE
from tracking.store import StoreError

CLEANS = {
    "weights": (
        "Clean weights",
        "Delete the weights of all runs, for good? The runs, their curves and their predictions stay.",
    ),
    "artifacts": (
        "Clean all files",
        "Delete all files of all runs, for good: weights, predictions, tracebacks? The runs and their curves stay.",
    ),
}


def size(bytes_: float) -> str:
    """`3.2 MB`, in powers of 1000 as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if bytes_ < 1000 or unit == "GB":
            break
        bytes_ /= 1000
    return f"{bytes_:.0f} {unit}" if unit == "bytes" or bytes_ >= 100 else f"{bytes_:.2g} {unit}"


def held(sweep: str) -> str:
    """How much space the files of a sweep take, in words; nothing where that is not known."""
    try:
        sizes = store.disk(sweep)
    except (StoreError, OSError):
        return ""
    return "" if sizes is None else size(int(sizes["size"].sum()))


def by_kind(sizes: pd.DataFrame) -> pd.DataFrame:
    """[file, runs, size]: files of one name together, the largest first."""
    kinds = sizes.groupby("path", sort=False).agg(runs=("run_id", "nunique"), size=("size", "sum"))
    kinds = kinds.sort_values(["size", "runs"], ascending=False)
    return kinds.rename_axis("file").reset_index()


def _clean(sweep: str, what: str) -> None:
    try:
        freed = store.client().clean(sweep, what)
    except (CommandError, ValueError, OSError) as error:
        st.session_state["_cleaned"] = ("error", str(error))
        return
    store.forget_files()
    words = f"{size(freed)} freed." if freed else "There was nothing to delete."
    st.session_state["_cleaned"] = ("success", words)


@st.dialog("Clean up")
def clean_dialog(sweep: str, what: str, words: str) -> None:
    """Ask before files are deleted.

    Args:
        sweep: The sweep's id.
        what: A key of CLEANS.
        words: How much of it there is.
    """
    label, question = CLEANS[what]
    st.markdown(f"{question} {ui.text(words)}")
    with st.container(horizontal=True):
        if st.button(label, key="clean-sure", type="primary", on_click=_clean, args=(sweep, what)):
            st.rerun()
        if st.button("Keep them", key="clean-not"):
            st.rerun()


def files(row: Any) -> None:
    """Draw the table of files, their sum, and the two buttons that clean."""
    sweep = str(row["sweep"])
    message = st.session_state.pop("_cleaned", None)
    if message:
        (st.error if message[0] == "error" else st.success)(ui.text(message[1]))
    try:
        sizes = store.disk(sweep)
    except (StoreError, OSError) as error:
        st.warning(ui.text(error))
        return
    amounts = dict.fromkeys(CLEANS, "")
    if sizes is None:
        st.markdown("The files lie on a server or in a cloud store: how much they take up is not known here.")
    else:
        kinds = by_kind(sizes)
        runs = kinds[~kinds["file"].isin([SPEC_FILE, TRIALS_FILE])]
        weights = int(kinds.loc[kinds["file"] == WEIGHTS_FILE, "size"].sum())
        total = int(kinds["size"].sum())
        st.markdown(f"**{ui.text(size(total))}** on the disk, of which weights **{ui.text(size(weights))}**.")
        totals = {"weights": weights, "artifacts": int(runs["size"].sum())}
        amounts = {what: f"They take up {size(bytes_)}." for what, bytes_ in totals.items()}
        st.dataframe(
            kinds.assign(size=[size(bytes_) for bytes_ in kinds["size"]]).head(200), hide_index=True, key="files",
            row_height=30, height=min(38 + 30 * max(1, len(kinds)), 300), placeholder="",
            column_config={
                "file": st.column_config.TextColumn(width="medium"),
                "runs": st.column_config.NumberColumn(width=70, help="How many runs have it"),
                "size": st.column_config.TextColumn(width=90, alignment="right"),
            },
            alt="Files of this sweep by name",
        )  # fmt: skip
    active = row["state"] in ui.ACTIVE
    with st.container(horizontal=True, gap="xsmall"):
        for what, (label, _) in CLEANS.items():
            if st.button(
                label, key=f"clean-{what}", icon=":material/cleaning_services:", disabled=active,
                help="While the sweep trains its files are needed." if active else None,
            ):  # fmt: skip
                clean_dialog(sweep, what, amounts[what])

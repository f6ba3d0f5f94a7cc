"""The downloads of a figure: its numbers as CSV, itself as SVG or PNG, with a caption that says how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from analysis.figures import export
from analysis.runs.comparison import Comparison
from app.shared import live, ui


def caption_of(
    comparison: Comparison, sweeps: Mapping[str, str], shows: str, n: str, interval: str, link: str
) -> export.Caption:
    """The caption of a figure in a document.

    Args:
        comparison: The runs of the page.
        sweeps: The names of the store's sweeps, by id.
        shows: What is to be seen.
        n: `n=8 seeds each`.
        interval: What the bands are; nothing where there is none.
        link: The end of a URL that opens the page as it is.
    """
    parents = [sweep for sweep in dict.fromkeys(comparison.runs["parent"]) if sweep in sweeps]
    what = " and ".join(f"{sweeps[sweep]} ({sweep[:8]})" for sweep in parents[:3])
    commit = f", code at commit {comparison.commit[:12]}" if comparison.commit else ""
    many = f"Runs of {what}" if parents else f"{len(comparison.runs)} MLflow runs"
    again = "launch the sweep's spec.yaml with sweepboard run, then open" if parents else "open"
    return export.Caption(shows, n, interval, f"{many}{commit}", f"{again} {link}")


@st.dialog("Figure for a document", width="large", on_dismiss="rerun")
def _document(figure: Any, caption: export.Caption, name: str) -> None:
    live.hold()
    kind = st.segmented_control(
        "Format", list(export.FORMATS), default="svg", required=True, key="document-format", format_func=str.upper
    )
    st.caption("The camera at the figure's upper right saves it as it stands here, caption included.")
    document = export.for_document(figure, caption)
    st.plotly_chart(
        document, key=f"document-{kind}", theme=None, width="content",
        config=export.button(name, str(kind), int(document.layout.height)), alt=ui.text(caption.text),
    )  # fmt: skip


def buttons(key: str, numbers: pd.DataFrame, figure: Any, caption: export.Caption) -> None:
    """Draw the buttons that download the numbers as CSV and the figure as SVG or PNG.

    Args:
        key: The figure's key.
        numbers: What it is drawn from.
        figure: The figure in light colours, or a function that makes it.
        caption: What is said below it.
    """
    with st.container(horizontal=True, gap="xsmall"):
        st.download_button(
            "CSV", lambda: export.csv(numbers, caption), f"{key}.csv", "text/csv", icon=":material/download:",
            key=f"csv-{key}", help="The numbers of this figure, with its caption.", type="tertiary",
            on_click="ignore",
        )  # fmt: skip
        if st.button(
            "SVG or PNG", key=f"image-{key}", icon=":material/image:", type="tertiary",
            help="The figure with a caption that says n, interval and how to make it again.",
        ):  # fmt: skip
            _document(figure(), caption, key)

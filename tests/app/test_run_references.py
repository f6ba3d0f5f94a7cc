"""The run page with what the run could at best reach beside its curves, and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracking import schema

LOSSES = {"train_eval/loss": [0.9, 0.6, 0.512], "val/loss": [1.0, 0.7, 0.62], "opt/lr": [0.1, 0.2, 0.3]}
ARRAYS: dict[str, Any] = {
    "names": np.array(["closed form"]),
    "words": np.array(["the weights with the least *squared* error"]),
    "metrics": np.array(["train_eval/loss", "val/loss"]),
    "values": np.array([[0.498, 0.57]]),
}


@pytest.fixture
def run(rows: Any, client: Any, tmp_path: Path) -> Any:
    """`run(content)`: the id of a run of ours with such a file, or with none."""

    def stored(content: bytes | None = None, **arrays: Any) -> str:
        experiment = rows.create_experiment("x", (tmp_path / "a").as_uri())
        run_id: str = rows.log_run(experiment, "r", {}, LOSSES)
        path = rows.artifacts(run_id) / schema.REFERENCES_FILE
        if content is not None:
            path.write_bytes(content)
        elif arrays:
            np.savez_compressed(path, **arrays)
        return run_id

    return stored


def traces(at: Any) -> list[list[dict[str, Any]]]:
    """The traces of each figure."""
    return [json.loads(chart.proto.spec)["data"] for chart in at.get("plotly_chart")]


def captions(at: Any) -> str:
    return "\n".join(caption.value for caption in at.caption).replace("\\", "")


def metrics_of(at: Any) -> Any:
    return next(frame.value for frame in at.dataframe if "what it is" in frame.value).set_index("metric")


def test_the_closed_form_is_drawn_said_and_in_the_table(run: Any, visit: Any) -> None:
    at = visit("run", run=run(**ARRAYS))
    assert not at.exception and not at.warning
    names = [[trace["name"] for trace in figure] for figure in traces(at)]
    assert names[0].count("closed form") == 3 and "closed form" not in names[1], "two lines and one in the legend"
    assert (
        "After 2 epochs the training loss is 0.512 and the validation loss is 0.62; the closed form reaches 0.498 and "
        "0.57. Dashed, in the colour of each curve, is the closed form: the weights with the least *squared* error."
    ) in captions(at)
    table = metrics_of(at)
    assert table.loc["train_eval/loss", "closed form"] == 0.498 and table.loc["val/loss", "closed form"] == 0.57
    assert np.isnan(table.loc["opt/lr", "closed form"])


def test_it_is_drawn_on_a_logarithmic_axis(run: Any, visit: Any) -> None:
    at = visit("run", run=run(**ARRAYS), **{"run-scale": "log"})
    assert [trace["name"] for trace in traces(at)[0]].count("closed form") == 3


def test_a_panel_that_is_not_chosen_needs_no_sentence(run: Any, visit: Any) -> None:
    at = visit("run", run=run(**ARRAYS), **{"run-curves": "opt/lr"})
    assert not at.exception and "closed form" not in captions(at)


def test_a_run_without_the_file_is_as_before(run: Any, visit: Any) -> None:
    at = visit("run", run=run())
    assert not at.exception and not at.warning
    assert [[trace["name"] for trace in figure] for figure in traces(at)] == [
        ["val/loss", "train_eval/loss"],
        ["opt/lr"],
    ]
    assert "Dashed" not in captions(at)
    columns = ["last", "best", "lowest", "highest", "curve", "what it is"]
    assert metrics_of(at).columns.tolist() == columns


def test_a_broken_file_is_a_sentence(run: Any, visit: Any) -> None:
    at = visit("run", run=run(b"junk"))
    assert not at.exception and len(traces(at)) == 2
    assert [warning.value.replace("\\", "") for warning in at.warning] == [
        "references.npz cannot be read: it is no archive of plain NumPy arrays."
    ]


def test_a_name_that_is_markup_or_a_column_of_the_table_breaks_nothing(run: Any, visit: Any) -> None:
    at = visit("run", run=run(**{**ARRAYS, "names": np.array(["last"])}))
    assert not at.exception and metrics_of(at).loc["val/loss", "last"] == 0.62

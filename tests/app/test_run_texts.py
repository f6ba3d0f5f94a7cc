"""What an encoder-decoder writes, on the page of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracking import schema

ARRAYS: dict[str, Any] = {
    "sources": np.array(["a b", "<b>"]),
    "references": np.array(["b a", "x"]),
    "epochs": np.array([1, 2], dtype=np.int32),
    "hypotheses": np.array([["b", "y"], ["b a", "y"]]),
    "chosen": np.array(["b a", "x"]),
    "epoch": np.int32(3),
}


@pytest.fixture
def run(rows: Any, client: Any, tmp_path: Path) -> Any:
    """`run(content)`: the id of a run with such a file, or with none."""

    def stored(content: bytes | None = None, **arrays: Any) -> str:
        experiment = rows.create_experiment("x", (tmp_path / "a").as_uri())
        run_id: str = rows.create_run(experiment, run_name="r", tags={schema.OUTCOME: "ok"})
        path = rows.artifacts(run_id) / schema.TRANSLATIONS_FILE
        if content is not None:
            path.write_bytes(content)
        elif arrays:
            np.savez_compressed(path, **arrays)
        return run_id

    return stored


def subheaders(at: Any) -> list[str]:
    return [element.value for element in at.subheader]


def test_the_table_of_what_it_writes(run: Any, visit: Any) -> None:
    at = visit("run", run=run(**ARRAYS))
    assert not at.exception and "What it writes" in subheaders(at)
    table = next(frame.value for frame in at.dataframe if "output" in frame.value)
    assert table["output"].tolist() == ["b a", "x"] and table["verdict"].tolist() == ["right", "right"]
    assert any("2 of these 2 texts" in caption.value for caption in at.caption)


def test_the_weights_of_an_earlier_epoch_stand_in_the_address(run: Any, visit: Any) -> None:
    at = visit("run", run=run(**ARRAYS), **{"run-texts": "epoch 1"})
    table = next(frame.value for frame in at.dataframe if "output" in frame.value)
    assert table["output"].tolist() == ["b", "y"] and table["verdict"].tolist() == ["wrong", "wrong"]
    assert any("The weights are those of epoch 1" in caption.value for caption in at.caption)


def test_a_run_without_the_file_has_no_such_table(run: Any, visit: Any) -> None:
    at = visit("run", run=run())
    assert not at.exception and "What it writes" not in subheaders(at)


def test_a_broken_file_is_a_sentence(run: Any, visit: Any) -> None:
    at = visit("run", run=run(b"junk"))
    assert not at.exception
    assert [warning.value.replace("\\", "") for warning in at.warning] == [
        "translations.npz cannot be read: it is no archive of plain NumPy arrays."
    ]

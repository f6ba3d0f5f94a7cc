"""What a sweep's files take up: against the sizes of the files that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tracking.artifacts import usage


class Runs:
    """A reader that knows the runs of one sweep and where their files lie."""

    def __init__(self, sweep_uri: str, children: dict[str, str]) -> None:
        self.sweep_uri, self.children = sweep_uri, children

    def runs(self, sweep: str | None = None, run_ids: list[str] | None = None) -> pd.DataFrame:
        folders = {"sweep": self.sweep_uri} if run_ids == ["sweep"] else self.children if sweep == "sweep" else {}
        return pd.DataFrame({"run_id": list(folders), "artifact_uri": list(folders.values())})


def folder_of(folder: Path, **sizes: int) -> str:
    """The URI of a folder with files of these sizes; `__` stands for a folder within it."""
    for name, size in sizes.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
    return folder.as_uri()


def usage_of(reader: Any) -> Any:
    return usage(reader, "sweep")


def test_every_file_of_the_sweep_and_its_runs_is_counted(tmp_path: Path) -> None:
    reader = Runs(
        folder_of(tmp_path / "sweep", spec=10),
        {"a": folder_of(tmp_path / "a", weights__best=1000, probabilities=7), "b": str(tmp_path / "never written")},
    )
    frame = usage_of(reader)
    assert frame.values.tolist() == [["sweep", "spec", 10], ["a", "probabilities", 7], ["a", "weights/best", 1000]]
    assert frame["size"].dtype == "int64"


def test_a_link_out_of_the_folder_is_no_file_of_the_sweep(tmp_path: Path) -> None:
    uri = folder_of(tmp_path / "sweep", spec=10)
    (tmp_path / "elsewhere").write_bytes(b"x" * 5000)
    (tmp_path / "sweep" / "link").symlink_to(tmp_path / "elsewhere")
    assert usage_of(Runs(uri, {}))["size"].sum() == 10


@pytest.mark.parametrize("uri", ["mlflow-artifacts:/1/a", "s3://bucket/a", "https://host/a"])
def test_files_that_lie_elsewhere_are_not_known(tmp_path: Path, uri: str) -> None:
    assert usage_of(Runs(folder_of(tmp_path / "sweep", spec=10), {"a": uri})) is None

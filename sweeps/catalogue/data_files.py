"""The files below the data folder that the launch form can offer, by their names alone: imports nothing that trains.

Which of them is really such a file is found out when it is read (`data`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from sweeps.settings import settings

Kind = Literal["table", "idx", "images", "text"]

ENDS: Final[dict[Kind, tuple[str, ...]]] = {
    "table": (".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz", ".tab.gz"),
    "idx": ("ubyte", ".idx", "ubyte.gz", ".idx.gz"),
    "images": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    "text": (".txt", ".text", ".tsv", ".tab", ".md", ".txt.gz", ".text.gz", ".tsv.gz", ".tab.gz", ".md.gz"),
}
"""How the names of such files end; of images, those that lie in the folder of a class."""

PATHS: Final[dict[str, dict[str, Kind]]] = {
    "csv_regression": {"path": "table", "test_path": "table"},
    "csv_classification": {"path": "table", "test_path": "table"},
    "idx": {"images": "idx", "labels": "idx", "test_images": "idx", "test_labels": "idx"},
    "image_folder": {"path": "images"},
    "labelled_lines": {"path": "text", "test_path": "text"},
    "text_file": {"path": "text"},
}
"""The fields of data sets that are paths below the data folder, and what lies there."""

DEEPEST: Final = 6
MOST_LOOKED_AT: Final = 20_000
MOST_OFFERED: Final = 500


def offered(dataset: str, field: str, root: Path | None = None) -> list[str]:
    """The paths that may be given for a field of a data set, as seen from the data folder, sorted.

    Args:
        dataset: Its name in the catalogue.
        field: The name of one of its fields; one that is no path has nothing to offer.
        root: The data folder; the one of the settings if not given.
    """
    kind = PATHS.get(dataset, {}).get(field)
    root = root or settings().data
    if kind is None or root is None:
        return []
    paths = _image_folders(root) if kind == "images" else _files(root, ENDS[kind])
    return sorted(paths)[:MOST_OFFERED]


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder below the root with its folders and files: nothing hidden, no links, not too deep or too many."""
    looked_at = 0
    for where, folders, files in os.walk(root):  # links to folders are not followed, what cannot be read is left out
        here = Path(where)
        depth = len(here.relative_to(root).parts)
        visible = [name for name in folders if not name.startswith(".") and not (here / name).is_symlink()]
        folders[:] = sorted(visible) if depth < DEEPEST else []
        yield here, folders, [name for name in files if not name.startswith(".")]
        looked_at += len(folders) + len(files)
        if looked_at > MOST_LOOKED_AT:
            return


def _files(root: Path, ends: tuple[str, ...]) -> Iterator[str]:
    for here, _, files in _walk(root):
        for name in files:
            path = here / name
            if name.lower().endswith(ends) and path.is_file() and not path.is_symlink():
                yield path.relative_to(root).as_posix()


def _image_folders(root: Path) -> set[str]:
    """Folders of two or more folders with images; those that hold them as train and test stand for both."""
    classes: dict[Path, int] = {}
    for here, _, files in _walk(root):
        if here != root and any(name.lower().endswith(ENDS["images"]) for name in files):
            classes[here.parent] = classes.get(here.parent, 0) + 1
    folders = {folder for folder, count in classes.items() if count >= 2}
    both = {folder.parent for folder in folders if {folder.parent / "train", folder.parent / "test"} <= folders}
    folders -= {folder / name for folder in both for name in ("train", "test")}
    return {folder.relative_to(root).as_posix() for folder in folders | both}

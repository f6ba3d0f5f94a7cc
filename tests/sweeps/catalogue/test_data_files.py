"""What the launch form offers lies in the data folder, and the fields it is offered for exist."""

import os

import pytest

from sweeps.catalogue import data_files
from sweeps.catalogue.data_files import PATHS, offered
from sweeps.catalogue.entries import ours


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    for name in (
        *("wine.csv", "deep/er/TABLE.TSV.gz", "notes.md", ".hidden/a.csv", "b/.c.csv"),
        *("m/labels.idx", "m/train-images-idx3-ubyte.gz", "one/cat/1.png", "flat/1.png", "flat/2.png"),
        *("pets/cat/1.png", "pets/dog/1.JPG"),
        *(f"both/{part}/{kind}/1.png" for part in ("train", "test") for kind in "ab"),
    ):
        touch(root / name)
    return root


def test_tables_idx_files_and_folders_of_images_are_found_by_their_names(root):
    for dataset in ("csv_regression", "csv_classification"):
        assert offered(dataset, "path", root) == ["deep/er/TABLE.TSV.gz", "wine.csv"]
    assert offered("idx", "test_labels", root) == ["m/labels.idx", "m/train-images-idx3-ubyte.gz"]
    assert offered("image_folder", "path", root) == ["both", "pets"]
    touch(root / "lines.txt.gz")
    for dataset, field in (("labelled_lines", "path"), ("labelled_lines", "test_path"), ("text_file", "path")):
        assert offered(dataset, field, root) == ["deep/er/TABLE.TSV.gz", "lines.txt.gz", "notes.md"]


def test_what_is_no_path_and_what_is_not_there_offers_nothing(root):
    assert offered("csv_regression", "target", root) == offered("digits", "path", root) == []
    assert offered("idx", "images", root / "gone") == []


def test_the_folder_is_that_of_the_settings(root, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(root))
    assert offered("csv_regression", "path") == ["deep/er/TABLE.TSV.gz", "wine.csv"]


def test_links_are_not_followed_and_no_folder_is_too_large(root, monkeypatch):
    os.symlink("/", root / "everything")
    os.symlink("/etc/passwd", root / "passwd.csv")
    assert offered("csv_regression", "path", root) == ["deep/er/TABLE.TSV.gz", "wine.csv"]
    for number in range(30):
        touch(root / "many" / f"{number}.csv")
    monkeypatch.setattr(data_files, "MOST_OFFERED", 7)
    assert len(offered("csv_regression", "path", root)) == 7
    touch(root / "/".join("abcdefgh") / "buried.csv")
    monkeypatch.setattr(data_files, "MOST_OFFERED", 500)
    assert not any("buried" in path for path in offered("csv_regression", "path", root))


def test_every_path_is_a_field_and_every_field_with_path_in_its_help_is_offered_for():
    datasets = ours().datasets
    for dataset, fields in PATHS.items():
        assert set(fields) <= set(datasets[dataset].fields)
    needed = {(name, field.name) for name, entry in datasets.items() for field in entry.fields.values()
              if field.required and "path as seen from the data folder" in field.help}  # fmt: skip
    assert needed and needed <= {(name, field) for name, fields in PATHS.items() for field in fields}


def test_the_ends_of_image_names_are_those_that_are_read():
    from data.files.image_folder import FORMATS

    assert set(data_files.ENDS["images"]) == set(FORMATS)

"""Files are read below the data folder only, and never more of them than is allowed."""

import gzip
import os

import pytest

from data.files.roots import find, opened, quoted, read, stamp


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "wine.csv").write_text("a,b\n")
    (folder / "deep" / "more.csv").write_text("a,b\n")
    (tmp_path / "secret.csv").write_text("secret")
    monkeypatch.setenv("SWEEPBOARD_DATA", str(folder))
    return folder


def test_a_path_is_as_seen_from_the_data_folder(folder):
    assert find("path", "wine.csv") == folder / "wine.csv"
    assert find("path", "deep/../deep/more.csv") == folder / "deep" / "more.csv"
    assert find("path", "deep", folder=True) == folder / "deep"


def test_links_within_the_folder_are_followed(folder):
    os.symlink(folder / "wine.csv", folder / "deep" / "link.csv")
    assert find("path", "deep/link.csv") == folder / "wine.csv"


def test_the_data_folder_itself_may_be_a_link(folder, tmp_path, monkeypatch):
    os.symlink(folder, tmp_path / "linked")
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path / "linked"))
    assert find("path", "wine.csv") == folder / "wine.csv"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("../secret.csv", "leads out of it neither by .. nor by a link"),
        ("deep/../../secret.csv", "leads out of it neither by .. nor by a link"),
        ("link.csv", "leads out of it neither by .. nor by a link"),
        ("linked/secret.csv", "leads out of it neither by .. nor by a link"),
        ("loop", "is not allowed; allowed: "),
        ("/etc/passwd", "its path as seen from there"),
        ("~/wine.csv", "its path as seen from there"),
        ("a\0b", "its path as seen from there"),
        ("a" * 5000, "its path as seen from there"),
        ("wein.csv", r"what is in the data folder \(.*wine.csv\); did you mean wine.csv\?"),
        ("deep/moer.csv", r"what is in deep \(more.csv\); did you mean deep/more.csv\?"),
        ("nowhere/more.csv", "what is in the data folder"),
        ("deep", "a file, and this is a folder"),
        ("pipe", "a plain file"),
        (" ", "missing; allowed: the path of a file in the data folder"),
    ],
)
def test_what_is_no_file_of_the_folder_is_refused_in_one_sentence(folder, tmp_path, written, sentence):
    os.symlink(tmp_path / "secret.csv", folder / "link.csv")
    os.symlink(tmp_path, folder / "linked")
    os.symlink(folder / "loop", folder / "loop")
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError, match=f"^path: .*{sentence}") as refusal:
        find("path", written)
    assert "secret" not in str(refusal.value).replace(written, "") and "\n" not in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)


def test_a_file_is_no_folder(folder):
    with pytest.raises(ValueError, match=r'path: "wine.csv" is not allowed; allowed: a folder, which this is not'):
        find("path", "wine.csv", folder=True)


def test_without_a_data_folder_a_sentence_says_how_to_set_one(folder, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(folder / "gone"))
    with pytest.raises(ValueError, match=r"path: the data folder .* that SWEEPBOARD_DATA names is no folder"):
        find("path", "wine.csv")
    monkeypatch.delenv("SWEEPBOARD_DATA")
    with pytest.raises(ValueError, match="path: no data folder is set; set SWEEPBOARD_DATA"):
        find("path", "wine.csv")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_no_more_is_unpacked_than_is_allowed(folder, pack):
    path = folder / "zeros"
    path.write_bytes(pack(bytes(1 << 21)))
    assert read(path, 1 << 21) == bytes(1 << 21)
    with pytest.raises(ValueError, match="zeros: it holds more than 1 MiB, unpacked"):
        read(path, 1 << 20)


def test_a_bomb_is_not_unpacked_whole(folder):
    path = folder / "bomb"
    path.write_bytes(gzip.compress(bytes(1 << 26)))
    with opened(path) as file:
        assert file.read(10) == bytes(10)
    with pytest.raises(ValueError, match="more than 1 MiB"):
        read(path, 1 << 20)


@pytest.mark.parametrize(
    "spoil", [lambda content: content[:-5], lambda content: content[:30] + b"?" * 20 + content[50:]]
)
def test_a_damaged_gzip_file_is_said_to_be_one(folder, spoil):
    path = folder / "wine.csv.gz"
    path.write_bytes(spoil(gzip.compress(os.urandom(5000))))
    with pytest.raises(ValueError, match=r"wine.csv.gz: the gzip file is damaged: .*\.$"):
        read(path, 1 << 20)


def test_a_changed_file_has_another_stamp(folder):
    path = folder / "wine.csv"
    before = stamp(path)
    assert stamp(path) == before
    os.utime(path, ns=(1, before[1] + 1))
    assert stamp(path) != before


def test_values_are_quoted_short_and_on_one_line():
    assert quoted("a\nb\x1b[31m") == '"a\\nb\\u001b[31m"'
    assert len(quoted("x" * 1000)) == 60

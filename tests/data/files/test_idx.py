"""IDX files: bytes written by hand, as the format's description says."""

import gzip
import os
import struct

import numpy as np
import pytest
import torch

from data import DATASETS
from data.files import idx
from data.files.idx import read_idx


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    return tmp_path


def write(folder, name, type_code, code, numbers, pack=bytes):
    """Numbers one by one, packed by `struct`: an account of the format that shares nothing with ours."""
    numbers = np.asarray(numbers)
    head = struct.pack(f">4B{numbers.ndim}I", 0, 0, type_code, numbers.ndim, *numbers.shape)
    (folder / name).write_bytes(pack(head + struct.pack(f">{numbers.size}{code}", *numbers.ravel().tolist())))


IMAGES = np.arange(30 * 3 * 2).reshape(30, 3, 2)
LABELS = np.arange(30) % 3


@pytest.fixture
def files(folder):
    write(folder, "images", 0x08, "B", IMAGES)
    write(folder, "labels", 0x08, "B", LABELS + 4)


def make(**fields):
    return DATASETS["idx"](**{"images": "images", "labels": "labels", "standardize": False, **fields})


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("type_code", "code", "low", "high"),
    [
        (0x08, "B", 0, 255),
        (0x09, "b", -128, 127),
        (0x0B, "h", -32768, 32767),
        (0x0C, "i", -(2**31), 2**31 - 1),
        (0x0D, "f", -1.5, 2.0**100),
        (0x0E, "d", -1e-300, 1e300),
    ],
)
def test_every_type_of_number_is_read(folder, pack, type_code, code, low, high):
    numbers = [[low, 0, high], [high, 1, low]]
    write(folder, "numbers", type_code, code, numbers, pack)
    read = read_idx(folder / "numbers")
    assert read.tolist() == numbers and read.dtype.isnative


def test_bytes_spelled_out(folder):
    (folder / "numbers").write_bytes(bytes.fromhex("00000b02 00000001 00000003 0001 0100 ffff"))
    assert read_idx(folder / "numbers").tolist() == [[1, 256, -1]]


def test_images_get_a_channel_and_values_from_0_to_1(files):
    data = make()
    parts = (data.parts.train, data.parts.validation, data.parts.test)
    inputs, targets = (torch.cat([getattr(part, name) for part in parts]) for name in ("inputs", "targets"))
    order = inputs[:, 0, 0, 0].argsort()
    assert data.dims == {"input_shape": (1, 3, 2), "num_outputs": 3, "task": "multiclass"}
    torch.testing.assert_close(inputs[order, 0], torch.tensor(IMAGES) / 255)
    assert targets[order].tolist() == LABELS.tolist() and data.class_names == ("4", "5", "6")
    assert data.source == "images"


def test_the_test_part_may_have_files_of_its_own(folder, files):
    write(folder, "test-images", 0x08, "B", IMAGES[:4])
    write(folder, "test-labels", 0x0C, "i", [5, 4, 4, 5])
    data = make(test_images="test-images", test_labels="test-labels")
    assert data.sizes == {"train": 24, "validation": 6, "test": 4}
    assert data.parts.test.targets.tolist() == [1, 0, 0, 1] and data.source == "images and test-images"
    assert data.dims["num_outputs"] == 3


def test_numbers_of_other_types_stay_as_they_are(folder, files):
    write(folder, "floats", 0x0D, "f", IMAGES * 10.0)
    assert make(images="floats").parts.train.inputs.max() > 1000


def test_images_with_channels_and_rows_of_numbers_are_taken_as_they_are(folder, files):
    write(folder, "color", 0x08, "B", np.zeros((30, 3, 2, 2), int))
    write(folder, "rows", 0x08, "B", np.zeros((30, 7), int))
    assert make(images="color").dims["input_shape"] == (3, 2, 2)
    assert make(images="rows").dims["input_shape"] == (7,)


HEAD = struct.pack(">4B3I", 0, 0, 8, 3, 30, 3, 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "bad: it begins with nothing; expected: the bytes 00 00, a type"),
        (b"\x89PNG\r\n", "bad: it begins with 89 50 4e 47; expected: the bytes 00 00"),
        (b"\0\0\x0a\x01", "bad: it begins with 00 00 0a 01; expected: .*08, 09, 0b, 0c, 0d, 0e"),
        (b"\0\0\x08\x09" + bytes(99), "bad: byte 4 says 9 axes; expected: 1 to 4"),
        (HEAD[:7], "bad: the file ends after 7 bytes; expected: 16 bytes of lengths"),
        (HEAD + bytes(179), "bad: 179 bytes follow the first 16; expected: 180, which is 30 x 3 x 2 numbers of 8 bits"),
        (HEAD + bytes(181), "bad: more bytes follow the first 16; expected: 180"),
        (gzip.compress(HEAD + bytes(179), mtime=0), "bad: 179 bytes follow the first 16; expected: 180"),
        (gzip.compress(HEAD + bytes(180), mtime=0)[:-6], "bad: the gzip file is damaged"),
        (
            struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28),
            "bad: 4,294,967,295 examples of 784 inputs are .* at most",
        ),
        (struct.pack(">4B3I", 0, 0, 8, 3, 30, 0, 2), "bad: it holds 30 x 0 x 2 numbers; expected: images x rows"),
        (struct.pack(">4BI", 0, 0, 8, 1, 3) + bytes(3), "bad: it holds 3 numbers; expected: images x rows x columns"),
        (struct.pack(">4B2If", 0, 0, 13, 2, 1, 1, float("nan")), "bad: image 1 holds a number that is not finite"),
        (struct.pack(">4B2I2f", 0, 0, 13, 2, 2, 1, 1, 1e31), r"bad: image 2 holds .* or above 1e\+30"),
        (
            struct.pack(">4B2I", 0, 0, 8, 2, 9, 1) + bytes(9),
            "labels: it holds 30 labels; expected: 9, one an image of bad",
        ),
    ],
)
def test_broken_images_are_refused_with_file_and_bytes(folder, files, content, sentence):
    (folder / "bad").write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as refusal:
        make(images="bad")
    assert "\n" not in str(refusal.value) and str(folder) not in str(refusal.value)


def test_a_bomb_is_refused_by_its_head_alone(folder, files, monkeypatch):
    (folder / "bad").write_bytes(gzip.compress(HEAD + bytes(1 << 26)))
    with pytest.raises(ValueError, match="bad: more bytes follow the first 16; expected: 180"):
        make(images="bad")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.zeros(30, int), 'bad: there is only one class, "0"; expected: two or more'),
        ([*range(2)] * 14 + [0, 7], "bad: label 7 occurs only once, as number 30"),
        ([0, 1], "bad: it holds 2 labels; expected: 30, one an image of images"),
        (np.zeros((30, 2), int), "bad: it holds 30 x 2 numbers; expected: one whole number an image"),
    ],
)
def test_labels_that_do_not_fit_are_refused(folder, files, labels, sentence):
    write(folder, "bad", 0x08, "B", labels)
    with pytest.raises(ValueError, match=sentence):
        make(labels="bad")


def test_labels_with_decimals_and_too_few_images_are_refused(folder, files):
    write(folder, "bad", 0x0D, "f", np.zeros(30))
    with pytest.raises(ValueError, match="bad: it holds 30 floating-point numbers; expected: one whole number"):
        make(labels="bad")
    write(folder, "few", 0x08, "B", IMAGES[:9])
    write(folder, "labels", 0x08, "B", LABELS[:9])
    with pytest.raises(ValueError, match="few: it has 9 images; expected: at least 10"):
        make(images="few")


def test_a_test_part_that_does_not_fit_is_refused(folder, files):
    with pytest.raises(ValueError, match="test_labels: missing; allowed: the path of a file in the data folder"):
        make(test_images="images")
    write(folder, "flat", 0x08, "B", IMAGES[:, :2])
    with pytest.raises(ValueError, match="flat: its images are 1 x 2 x 2; expected: 1 x 3 x 2, as in images"):
        make(test_images="flat", test_labels="labels")
    write(folder, "other", 0x08, "B", LABELS + 5)
    with pytest.raises(ValueError, match=r"other: label 7, number 3, does not occur in labels; expected: 4, 5, 6\."):
        make(test_images="images", test_labels="other")


def test_files_are_read_once_until_one_changes(folder, files, monkeypatch):
    reads = []
    monkeypatch.setattr(idx, "read_idx", lambda path: reads.append(path.name) or read_idx(path))
    for seed in range(3):
        assert make(seed_data=seed).parts
    assert reads == ["images", "labels"]
    os.utime(folder / "labels", ns=(1, 1))
    assert make().parts and len(reads) == 4

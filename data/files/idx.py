"""IDX files, the format of MNIST and its relatives (LeCun et al. 1998), plain or packed with gzip.

A file begins with four bytes: 0, 0, the type of its numbers, the number of axes. The length of each axis follows in
four bytes, then the numbers, all with the most significant byte first.
"""

import math
import struct
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval, MinLen
from numpy.typing import NDArray

from data.files.common import (
    CACHE_SIZE,
    FileClassification,
    Loaded,
    divided,
    numbered,
    require_enough,
    require_limit,
    require_two_classes,
)
from data.files.delimited import LARGEST, MOST_CLASSES
from data.files.roots import Stamp, find, listed, opened, stamp
from data.parts import Examples
from data.tabular import Images
from learning_tasks.refusals import require

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The NumPy type of the numbers, by the third byte."""
MOST_AXES = 4


def _by_axis(shape: tuple[int, ...]) -> str:
    """A shape in words, such as 100 x 28 x 28."""
    return " x ".join(map(str, shape))


def read_idx(path: Path) -> NDArray[Any]:
    """The numbers of a file, in the byte order of this machine.

    Raises:
        ValueError: It is no such file, too short, too long or too large; the sentence names the file.
    """
    with opened(path) as file:
        magic = file.read(4)
        kind = TYPES.get(magic[2]) if len(magic) == 4 else None
        if magic[:2] != b"\0\0" or kind is None:
            types = ", ".join(f"{number:02x}" for number in TYPES)
            expected = f"00 00, a type ({types}) and the number of axes"
            raise ValueError(
                f"{path.name}: it begins with {magic.hex(' ') or 'nothing'}; expected: the bytes {expected}."
            )
        axes = magic[3]
        if not 1 <= axes <= MOST_AXES:
            raise ValueError(f"{path.name}: byte 4 says {axes} axes; expected: 1 to {MOST_AXES}.")
        lengths = file.read(4 * axes)
        if len(lengths) < 4 * axes:
            size = 4 + len(lengths)
            raise ValueError(
                f"{path.name}: the file ends after {size} bytes; expected: {4 + 4 * axes} bytes of lengths."
            )
        shape = struct.unpack(f">{axes}I", lengths)
        require_limit(path.name, shape[0], math.prod(shape[1:]))
        size = math.prod(shape) * np.dtype(kind).itemsize
        content = file.read(size + 1)
    if len(content) != size:
        bits = np.dtype(kind).itemsize * 8
        expected = f"{size:,}, which is {_by_axis(shape)} numbers of {bits} bits"
        length = f"{len(content):,}" if len(content) < size else "more"
        raise ValueError(f"{path.name}: {length} bytes follow the first {4 + 4 * axes}; expected: {expected}.")
    numbers: NDArray[Any] = np.frombuffer(content, dtype=kind).reshape(shape)
    return numbers.astype(np.dtype(kind).newbyteorder("="))


def _images(path: Path) -> NDArray[Any]:
    """The inputs of a file: (n, 1, rows, columns) for grey images."""
    images = read_idx(path)
    if images.ndim < 2 or 0 in images.shape:
        raise ValueError(f"{path.name}: it holds {_by_axis(images.shape)} numbers; expected: images x rows x columns.")
    if images.dtype.kind == "f" and not (np.abs(images) <= LARGEST).all():
        image = int(np.argwhere(~(np.abs(images) <= LARGEST))[0][0]) + 1
        raise ValueError(
            f"{path.name}: image {image} holds a number that is not finite, or above {LARGEST:g}; expected: others."
        )
    return images[:, None] if images.ndim == 3 else images


def _labels(path: Path, images: NDArray[Any], images_path: Path) -> NDArray[np.int64]:
    labels = read_idx(path)
    if labels.ndim != 1 or labels.dtype.kind == "f":
        kind = _by_axis(labels.shape) + (" floating-point" if labels.dtype.kind == "f" else "")
        raise ValueError(f"{path.name}: it holds {kind} numbers; expected: one whole number an image.")
    if len(labels) != len(images):
        expected = f"{len(images):,}, one an image of {images_path.name}"
        raise ValueError(f"{path.name}: it holds {len(labels):,} labels; expected: {expected}.")
    return labels.astype(np.int64)


def _label_values(labels: NDArray[np.int64], path: Path) -> NDArray[np.int64]:
    """The different labels, in their order; refuses too many, and one that occurs only once."""
    values, counts = np.unique(labels, return_counts=True)
    if len(values) > MOST_CLASSES:
        raise ValueError(f"{path.name}: it holds {len(values):,} different labels; allowed: at most {MOST_CLASSES:,}.")
    if counts.min() < 2:
        rare = values[counts.argmin()]
        number = int(np.flatnonzero(labels == rare)[0]) + 1
        raise ValueError(f"{path.name}: label {rare} occurs only once, as number {number}; expected: twice or more.")
    return values


@lru_cache(maxsize=CACHE_SIZE)
def _load(images_file: Stamp, labels_file: Stamp, tests: tuple[Stamp, Stamp] | None, fraction: float) -> Loaded:
    images_path, labels_path = Path(images_file[0]), Path(labels_file[0])
    images = _images(images_path)
    labels = _labels(labels_path, images, images_path)
    require_enough(images_path.name, len(images), "images")
    values = _label_values(labels, labels_path)
    classes, _ = numbered([str(value) for value in values])
    require_two_classes(labels_path.name, classes)
    targets = np.searchsorted(values, labels)
    if tests is None:
        return Loaded(*divided(images, targets, fraction, len(classes)), classes)
    test_images_path, test_labels_path = Path(tests[0][0]), Path(tests[1][0])
    test_images = _images(test_images_path)
    if test_images.shape[1:] != images.shape[1:]:
        sizes = f"its images are {_by_axis(test_images.shape[1:])}; expected: {_by_axis(images.shape[1:])}"
        raise ValueError(f"{test_images_path.name}: {sizes}, as in {images_path.name}.")
    test_labels = _labels(test_labels_path, test_images, test_images_path)
    unknown = np.flatnonzero(~np.isin(test_labels, values))
    if len(unknown):
        where = f"{test_labels_path.name}: label {test_labels[unknown[0]]}, number {unknown[0] + 1},"
        raise ValueError(f"{where} does not occur in {labels_path.name}; expected: {listed(classes)}.")
    test = Examples(test_images, np.searchsorted(values, test_labels))
    return Loaded(Examples(images, targets), test, classes)


class Idx(Images, FileClassification):
    """Images and their labels in IDX files of your own, the format of MNIST; bytes from 0 to 255 become 0 to 1.

    Args:
        images: The file with the images, its path as seen from the data folder; it may be packed with gzip.
        labels: The file with a label an image, a whole number.
        test_images: A file of its own with the images of the test part; if left empty, that is a share of the images.
        test_labels: The file with the labels of the test part.
        test_fraction: The share of the images that becomes the test part, the same images in every run.
    """

    def __init__(
        self,
        *,
        images: Annotated[str, MinLen(1)] = "",
        labels: Annotated[str, MinLen(1)] = "",
        test_images: str = "",
        test_labels: str = "",
        test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("test_fraction", test_fraction, 0 < test_fraction < 1, "between 0 and 1")
        files = [find("images", images), find("labels", labels)]
        tests = None
        if test_images or test_labels:
            files += [find("test_images", test_images), find("test_labels", test_labels)]
            tests = (stamp(files[2]), stamp(files[3]))
        loaded = _load(stamp(files[0]), stamp(files[1]), tests, test_fraction)
        self.use(loaded, " and ".join(file.name for file in files[::2]))

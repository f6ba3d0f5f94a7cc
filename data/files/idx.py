"""IDX files, the format of MNIST and its relatives (LeCun et al. 1998), as they are or packed with gzip.

A file begins with four bytes: 0, 0, the type of its numbers, how many axes they have. Each axis's length follows in
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

from data.base import Examples, Images
from data.files.common import KEPT, Loaded, OwnClasses, divided, enough, limit, numbered, two_or_more
from data.files.delimited import LARGEST, MOST_CLASSES
from data.files.roots import Stamp, find, listed, opened, stamp
from learning_tasks.refusals import require

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte, and the numbers it stands for."""
MOST_AXES = 4


def read_idx(path: Path) -> NDArray[Any]:
    """The numbers of a file, in this machine's order of bytes.

    Raises:
        ValueError: It is no such file, too short, too long or too large; the sentence names the file.
    """
    with opened(path) as file:
        magic = file.read(4)
        kind = TYPES.get(magic[2]) if len(magic) == 4 else None
        if magic[:2] != b"\0\0" or kind is None:
            known = ", ".join(f"{number:02x}" for number in TYPES)
            expected = f"00 00, a type ({known}) and the number of axes"
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
        limit(path.name, shape[0], math.prod(shape[1:]))
        size = math.prod(shape) * np.dtype(kind).itemsize
        content = file.read(size + 1)
    if len(content) != size:
        lengths_said = " x ".join(map(str, shape))
        found = f"{len(content):,}" if len(content) < size else "more"
        said = f"{size:,}, which is {lengths_said} numbers of {np.dtype(kind).itemsize * 8} bits"
        raise ValueError(f"{path.name}: {found} bytes follow the first {4 + 4 * axes}; expected: {said}.")
    numbers: NDArray[Any] = np.frombuffer(content, dtype=kind).reshape(shape)
    return numbers.astype(np.dtype(kind).newbyteorder("="))


def _images(path: Path) -> NDArray[Any]:
    """Inputs (n, ...) of a file: images get their channel."""
    images = read_idx(path)
    if images.ndim < 2 or 0 in images.shape:
        shape = " x ".join(map(str, images.shape))
        raise ValueError(f"{path.name}: it holds {shape} numbers; expected: images x rows x columns.")
    if images.dtype.kind == "f" and not (np.abs(images) <= LARGEST).all():
        image = int(np.argwhere(~(np.abs(images) <= LARGEST))[0][0]) + 1
        raise ValueError(
            f"{path.name}: image {image} holds a number that is not finite, or above {LARGEST:g}; expected: others."
        )
    return images[:, None] if images.ndim == 3 else images


def _labels(path: Path, images: NDArray[Any], of: Path) -> NDArray[np.int64]:
    labels = read_idx(path)
    if labels.ndim != 1 or labels.dtype.kind == "f":
        kind = " x ".join(map(str, labels.shape)) + (" floating-point" if labels.dtype.kind == "f" else "")
        raise ValueError(f"{path.name}: it holds {kind} numbers; expected: one whole number an image.")
    if len(labels) != len(images):
        raise ValueError(
            f"{path.name}: it holds {len(labels):,} labels; expected: {len(images):,}, one an image of {of.name}."
        )
    return labels.astype(np.int64)


@lru_cache(maxsize=KEPT)
def _load(images_file: Stamp, labels_file: Stamp, tests: tuple[Stamp, Stamp] | None, fraction: float) -> Loaded:
    file, names = Path(images_file[0]), Path(labels_file[0])
    images = _images(file)
    labels = _labels(names, images, file)
    enough(file.name, len(images), "images")
    found, counts = np.unique(labels, return_counts=True)
    if len(found) > MOST_CLASSES:
        raise ValueError(f"{names.name}: it holds {len(found):,} different labels; allowed: at most {MOST_CLASSES:,}.")
    if counts.min() < 2:
        rare = found[counts.argmin()]
        place = int(np.flatnonzero(labels == rare)[0]) + 1
        raise ValueError(f"{names.name}: label {rare} occurs only once, as number {place}; expected: twice or more.")
    classes, _ = numbered([str(label) for label in found])
    two_or_more(names.name, classes)
    targets = np.searchsorted(found, labels)
    if tests is None:
        return Loaded(*divided(images, targets, fraction, len(classes)), classes)
    test_file, test_names = Path(tests[0][0]), Path(tests[1][0])
    tested = _images(test_file)
    if tested.shape[1:] != images.shape[1:]:
        sizes = [" x ".join(map(str, each.shape[1:])) for each in (tested, images)]
        raise ValueError(f"{test_file.name}: its images are {sizes[0]}; expected: {sizes[1]}, as in {file.name}.")
    given = _labels(test_names, tested, test_file)
    strange = np.flatnonzero(~np.isin(given, found))
    if len(strange):
        where = f"{test_names.name}: label {given[strange[0]]}, number {strange[0] + 1},"
        raise ValueError(f"{where} does not occur in {names.name}; expected: {listed(classes)}.")
    return Loaded(Examples(images, targets), Examples(tested, np.searchsorted(found, given)), classes)


class Idx(Images, OwnClasses):
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
        self.take(loaded, " and ".join(file.name for file in files[::2]))

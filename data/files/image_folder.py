"""A folder of images by class: each of its folders is a class and holds the images of that class.

If there are exactly two folders, called `train` and `test`, each of them holds the folders of the classes, and the test
part is what lies under `test`; else it is a share of the images, the same in every run.
"""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval, MinLen
from numpy.typing import NDArray
from PIL import Image

from data.files.common import (
    CACHE_SIZE,
    FileClassification,
    Loaded,
    as_floats,
    divided,
    require_enough,
    require_limit,
    require_two_classes,
)
from data.files.delimited import MOST_CLASSES
from data.files.image_files import BACKGROUNDS, FORMATS, MODES, Conversion, Pixels, read_image
from data.files.roots import Stamp, find, listed, refused, relative_name, stamp, within
from data.parts import Examples
from data.tabular import Images
from learning_tasks.refusals import require

MOST_IMAGES = 200_000

Files = tuple[tuple[str, tuple[Stamp, ...]], ...]
"""The classes, each with the stamps of its images."""


def _entries(folder: Path) -> dict[str, Path]:
    """The paths in a folder by their names, in order, links resolved; hidden ones are left out."""
    try:
        with os.scandir(folder) as entries:
            is_link = {entry.name: entry.is_symlink() for entry in entries if not entry.name.startswith(".")}
    except OSError as error:
        raise ValueError(f"{relative_name(folder)}: it cannot be read: {error.strerror or error}.") from None
    return {name: within(folder / name) if is_link[name] else folder / name for name in sorted(is_link)}


def _folders(folder: Path) -> dict[str, Path]:
    return {name: path for name, path in _entries(folder).items() if path.is_dir()}


def _files(folder: Path) -> Files:
    """The classes of a folder and the stamps of their images."""
    classes = {}
    for name, class_folder in _folders(folder).items():
        images = [path for path in _entries(class_folder).values() if path.suffix.lower() in FORMATS and path.is_file()]
        if not images:
            kinds = ", ".join(FORMATS)
            raise ValueError(f"{relative_name(class_folder)}: it holds no images; expected: files that end in {kinds}.")
        classes[name] = tuple(stamp(path) for path in images)
    if not classes:
        raise ValueError(
            f"{relative_name(folder)}: it holds no folders; expected: a folder a class, with its images in it."
        )
    count = sum(map(len, classes.values()))
    if count > MOST_IMAGES:
        raise ValueError(f"{relative_name(folder)}: it holds {count:,} images; allowed: at most {MOST_IMAGES:,}.")
    if len(classes) > MOST_CLASSES:
        raise ValueError(
            f"{relative_name(folder)}: it holds {len(classes):,} folders; allowed: at most {MOST_CLASSES:,} classes."
        )
    return tuple(classes.items())


def _stacked(images: list[Pixels]) -> NDArray[Any]:
    """The images (n, channels, size, size): bytes if all are of bytes, else floating-point numbers."""
    values = [image.values for image in images]
    all_bytes = all(array.dtype == np.uint8 for array in values)
    return np.stack(values if all_bytes else [as_floats(array) for array in values])


def _read(files: Files, classes: tuple[str, ...], conversion: Conversion) -> tuple[Examples, bool]:
    """All images and their classes, and whether their values are shares of the largest ones of their formats.

    Raises:
        ValueError: An image cannot be read, or some have such a largest value and others have none.
    """
    paths = [Path(path) for _, stamps in files for path, _, _ in stamps]
    images = [read_image(path, conversion) for path in paths]
    bounded = [image.bounded for image in images]
    if len(set(bounded)) == 2:
        unbounded_name, bounded_name = (relative_name(paths[bounded.index(kind)]) for kind in (False, True))
        raise ValueError(
            f"{unbounded_name}: its grey values are signed or 32-bit numbers, and nothing says which of them is the "
            f"white of {bounded_name}; expected: images of one kind."
        )
    labels = [classes.index(name) for name, stamps in files for _ in stamps]
    return Examples(_stacked(images), np.array(labels)), all(bounded)


def _stretched(pool: Examples, test: Examples, classes: tuple[str, ...]) -> Loaded:
    """Images of unbounded numbers, scaled so that the smallest value outside the test part becomes 0, the largest 1."""
    low, high = float(pool.inputs.min()), float(pool.inputs.max())
    pool, test = (replace(part, inputs=(part.inputs - low) / ((high - low) or 1.0)) for part in (pool, test))
    return Loaded(pool, test, classes, f"grey values {low:.6g} to {high:.6g} as 0 to 1")


@lru_cache(maxsize=CACHE_SIZE)
def _load(name: str, files: Files, test_files: Files, conversion: Conversion, fraction: float) -> Loaded:
    classes = tuple(class_name for class_name, _ in files)
    require_two_classes(name, classes)
    count = sum(len(images) for _, images in files)
    test_count = sum(len(images) for _, images in test_files)
    require_limit(name, count + test_count, conversion.size**2 * Image.getmodebands(conversion.mode))
    require_enough(name, count, "images")
    for class_name, images in files:
        if len(images) < 2:
            raise ValueError(f"{name}/{class_name}: it holds one image; expected: two or more of each class.")
    unknown = [class_name for class_name, _ in test_files if class_name not in classes]
    if unknown:
        raise ValueError(f"{name}/test/{unknown[0]}: train has no such class; expected: {listed(classes)}.")
    everything, bounded = _read((*files, *test_files), classes, conversion)
    inputs, targets = everything.inputs, everything.targets
    if test_files:
        pool, test = Examples(inputs[:count], targets[:count]), Examples(inputs[count:], targets[count:])
    else:
        pool, test = divided(inputs, targets, fraction, len(classes))
    return Loaded(pool, test, classes) if bounded else _stretched(pool, test, classes)


class ImageFolder(Images, FileClassification):
    """A folder of images of your own: a folder a class, perhaps under train and test; their values become 0 to 1.

    0 is black and 1 the largest value that the format can hold. Signed and 32-bit grey values have no such largest
    one: of all images outside the test part, the smallest value (after resizing) becomes 0 and the largest one 1.

    Args:
        path: The folder, its path as seen from the data folder.
        size: Rows and columns that each image is resized to; its proportions are not kept.
        channels: One channel of grey values, or red, green and blue.
        background: What is seen where an image is transparent.
        test_fraction: The share of the images that becomes the test part, the same images in every run; where there is
            a folder test, that is the test part instead.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1)] = "",
        size: Annotated[int, Interval(ge=4, le=256)] = 32,
        channels: Literal["grey", "color"] = "grey",
        background: Literal["white", "black"] = "white",
        test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("size", size, 4 <= size <= 256, "4 to 256")
        require("test_fraction", test_fraction, 0 < test_fraction < 1, "between 0 and 1")
        if channels not in MODES:
            raise refused("channels", channels, ", ".join(MODES), MODES)
        if background not in BACKGROUNDS:
            raise refused("background", background, ", ".join(BACKGROUNDS), BACKGROUNDS)
        folder = find("path", path, folder=True)
        folders = _folders(folder)
        if set(folders) == {"train", "test"}:
            files, test_files = _files(folders["train"]), _files(folders["test"])
        else:
            files, test_files = _files(folder), ()
        conversion = Conversion(MODES[channels], size, background)
        loaded = _load(relative_name(folder), files, test_files, conversion, test_fraction)
        self.use(loaded, f"images in {folder.name}")

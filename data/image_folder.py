"""A folder of images by class: each of its folders is a class and holds that class's images.

Folders called `train` and `test`, if these two are all there is, hold the classes in their turn, and the test part is
what lies under `test`; else it is a share of the images, the same in every run.
"""

import os
import struct
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval, MinLen
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from data.base import Examples, Images, require
from data.delimited import MOST_CLASSES
from data.own import KEPT, Loaded, OwnClasses, divided, enough, limit, two_or_more
from data.roots import Stamp, find, listed, refused, shown, stamp, within

FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP", ".tif": "TIFF",
    ".tiff": "TIFF",
}  # fmt: skip
"""The ends of names that make a file an image, and the formats that are read; others are left alone."""
MODES = {"grey": "L", "color": "RGB"}
MOST_IMAGES = 200_000
MOST_PIXELS = 50_000_000
"""Of one image, before it is resized."""

Files = tuple[tuple[str, tuple[Stamp, ...]], ...]
"""Each class and its images."""


def _entries(folder: Path) -> dict[str, Path]:
    """What lies in a folder and is not hidden, in the order of its names, links resolved."""
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry.is_symlink() for entry in entries if not entry.name.startswith(".")}
    except OSError as error:
        raise ValueError(f"{shown(folder)}: it cannot be read: {error.strerror or error}.") from None
    return {name: within(folder / name) if found[name] else folder / name for name in sorted(found)}


def _folders(folder: Path) -> dict[str, Path]:
    return {name: path for name, path in _entries(folder).items() if path.is_dir()}


def _files(folder: Path) -> Files:
    """The classes of a folder and the stamps of their images."""
    classes = {}
    for name, own in _folders(folder).items():
        images = [path for path in _entries(own).values() if path.suffix.lower() in FORMATS and path.is_file()]
        if not images:
            kinds = ", ".join(FORMATS)
            raise ValueError(f"{shown(own)}: it holds no images; expected: files that end in {kinds}.")
        classes[name] = tuple(stamp(path) for path in images)
    if not classes:
        raise ValueError(f"{shown(folder)}: it holds no folders; expected: a folder a class, with its images in it.")
    count = sum(map(len, classes.values()))
    if count > MOST_IMAGES:
        raise ValueError(f"{shown(folder)}: it holds {count:,} images; allowed: at most {MOST_IMAGES:,}.")
    if len(classes) > MOST_CLASSES:
        raise ValueError(
            f"{shown(folder)}: it holds {len(classes):,} folders; allowed: at most {MOST_CLASSES:,} classes."
        )
    return tuple(classes.items())


def _pixels(path: Path, mode: str, size: int) -> NDArray[np.uint8]:
    """An image as (channels, size, size)."""
    name = shown(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, at what it mends by itself
            with Image.open(path, formats=tuple(set(FORMATS.values()))) as file:
                if file.width * file.height > MOST_PIXELS:
                    pixels = f"{file.width:,} x {file.height:,} pixels"
                    raise ValueError(f"{name}: it has {pixels}; allowed: at most {MOST_PIXELS:,} in an image.")
                image: Image.Image = file
                if file.mode.startswith("I;16"):  # 16 bits: Pillow's own conversion would cut off the upper ones
                    image = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
                image = ImageOps.exif_transpose(image).convert(mode)
                values = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    except UnidentifiedImageError:
        raise ValueError(
            f"{name}: it is no image that can be read; expected: {listed(sorted(set(FORMATS.values())))}."
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name}: it has too many pixels; allowed: at most {MOST_PIXELS:,} in an image.") from None
    except (
        OSError,
        SyntaxError,
        EOFError,
        IndexError,
        TypeError,
        struct.error,
    ) as error:  # what Pillow raises at damaged files
        raise ValueError(f"{name}: the image is damaged: {str(error).rstrip('.') or type(error).__name__}.") from None
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def _read(files: Files, classes: tuple[str, ...], mode: str, size: int) -> Examples:
    number = {name: place for place, name in enumerate(classes)}
    stamps = [(number[name], each) for name, own in files for each in own]
    inputs = np.stack([_pixels(Path(path), mode, size) for _, (path, _, _) in stamps])
    return Examples(inputs, np.array([label for label, _ in stamps]))


@lru_cache(maxsize=KEPT)
def _load(name: str, files: Files, test_files: Files, mode: str, size: int, fraction: float) -> Loaded:
    classes = tuple(own for own, _ in files)
    two_or_more(name, classes)
    count = sum(len(own) for _, own in (*files, *test_files))
    limit(name, count, size * size * (3 if mode == "RGB" else 1))
    enough(name, sum(len(own) for _, own in files), "images")
    for own, images in files:
        if len(images) < 2:
            raise ValueError(f"{name}/{own}: it holds one image; expected: two or more of each class.")
    strange = [own for own, _ in test_files if own not in classes]
    if strange:
        raise ValueError(f"{name}/test/{strange[0]}: train has no such class; expected: {listed(classes)}.")
    pool = _read(files, classes, mode, size)
    if test_files:
        return Loaded(pool, _read(test_files, classes, mode, size), classes)
    return Loaded(*divided(pool.inputs, pool.targets, fraction, len(classes)), classes)


class ImageFolder(Images, OwnClasses):
    """A folder of images of your own: a folder a class, perhaps under train and test; their values become 0 to 1.

    Args:
        path: The folder, its path as seen from the data folder.
        size: Rows and columns that each image is resized to; its proportions are not kept.
        channels: One channel of grey values, or red, green and blue.
        test_fraction: The share of the images that becomes the test part, the same images in every run; where there is
            a folder test, that is the test part instead.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1)] = "",
        size: Annotated[int, Interval(ge=4, le=256)] = 32,
        channels: Literal["grey", "color"] = "grey",
        test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("size", size, 4 <= size <= 256, "4 to 256")
        require("test_fraction", test_fraction, 0 < test_fraction < 1, "between 0 and 1")
        if channels not in MODES:
            raise refused("channels", channels, ", ".join(MODES), MODES)
        folder = find("path", path, folder=True)
        own = _folders(folder)
        if set(own) == {"train", "test"}:
            files, test_files = _files(own["train"]), _files(own["test"])
        else:
            files, test_files = _files(folder), ()
        self.take(
            _load(shown(folder), files, test_files, MODES[channels], size, test_fraction), f"images in {folder.name}"
        )

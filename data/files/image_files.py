"""Image files as numbers: grey values, or red, green and blue, in whatever mode Pillow opens them.

Pixels of up to 8 bits a channel stay bytes. Grey values of 12 or 16 bits are divided by the largest one that their
format can hold. Signed and 32-bit ones (Pillow's modes I and F) have no largest value that means white: they come as
they are, and whoever reads a whole folder scales them. What is transparent, wholly or in part, is laid over a
background.
"""

import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from data.files.delimited import LARGEST
from data.files.roots import listed, relative_name

FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP", ".tif": "TIFF",
    ".tiff": "TIFF",
}  # fmt: skip
"""The format by the suffix of a file; files with other suffixes are ignored."""
MODES = {"grey": "L", "color": "RGB"}
"""Pillow's mode, by what the user chooses."""
BACKGROUNDS = {"white": 255, "black": 0}
UNBOUNDED = ("I", "F")
"""The modes of signed, 32-bit and floating-point numbers."""
MOST_PIXELS = 50_000_000
"""The most pixels of one image, before it is resized."""

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
"""Tags of TIFF 6.0: tuples of one number a channel, but for the second, a number."""
WHITE_IS_ZERO, UNSIGNED = 0, (1,)


@dataclass(frozen=True)
class Conversion:
    """What images are converted to."""

    mode: str
    """Pillow's mode, one of the values of `MODES`."""
    size: int
    """Rows and columns."""
    background: str
    """One of the keys of `BACKGROUNDS`: what is seen where an image is transparent."""


class Pixels(NamedTuple):
    """One image as numbers."""

    values: NDArray[np.uint8] | NDArray[np.float32]
    """(channels, size, size): bytes; from 0 to 1 for 12 and 16 bits; the numbers of the file in all other cases."""
    bounded: bool
    """Whether the format has a largest value, so that the numbers are shares of it; else they have to be scaled."""


def _opaque(image: Image.Image, background: str) -> Image.Image:
    """The image over the background, in a mode that Pillow can convert to grey and to RGB."""
    if image.mode == "La":  # has no way to RGBA but this one
        image = image.convert("LA")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, background)
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB") if image.mode == "LAB" else image


def _shares(image: Image.Image, background: str, tags: Mapping[int, Any]) -> NDArray[np.float32]:
    """Grey values of 12 or 16 bits as shares of the largest possible one, (rows, columns)."""
    values = np.asarray(image)
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
    shares: NDArray[np.float32] = values.astype(np.float32) / np.float32(2**bits - 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        shares = 1 - shares
    if "transparency" in image.info:
        shares[values == image.info["transparency"]] = BACKGROUNDS[background] / 255
    return shares


def _numbers(image: Image.Image, tags: Mapping[int, Any]) -> NDArray[np.float32]:
    """The numbers of modes I and F as they are, (rows, columns)."""
    values = np.asarray(image)
    unsigned = tags.get(BITS_PER_SAMPLE) == (32,) and tags.get(SAMPLE_FORMAT, UNSIGNED) == UNSIGNED
    if image.mode == "I" and unsigned:  # Pillow has no mode for them: from 2^31 on they come out negative
        values = values.view(np.uint32)
    return values.astype(np.float32)


def to_pixels(image: Image.Image, conversion: Conversion, tags: Mapping[int, Any] | None = None) -> Pixels:
    """The numbers of an image that Pillow has opened in any of its modes.

    Args:
        image: The image, rotated as it should be seen.
        conversion: What it is converted to.
        tags: The tags of a TIFF file, which say more about its values than Pillow's mode does.
    """
    if image.mode in UNBOUNDED:
        opaque = Image.fromarray(_numbers(image, tags or {}))
    elif image.mode.startswith("I;16"):
        opaque = Image.fromarray(_shares(image, conversion.background, tags or {}))
    else:
        opaque = _opaque(image, conversion.background).convert(conversion.mode)
    values = np.asarray(opaque.resize((conversion.size, conversion.size), Image.Resampling.BILINEAR))
    if values.ndim == 2:  # grey values, the same in each channel
        channels = np.repeat(values[None], Image.getmodebands(conversion.mode), axis=0)
    else:
        channels = np.ascontiguousarray(values.transpose(2, 0, 1))
    return Pixels(channels, image.mode not in UNBOUNDED)


def _scale_transparency(file: ImageFile.ImageFile) -> None:
    """Bring the transparent value of a PNG file to the depth that Pillow gives to its pixels."""
    if "transparency" not in file.info or not file.tile:
        return
    transparent, raw_mode = file.info["transparency"], file.tile[0].args
    if raw_mode in ("L;2", "L;4"):
        file.info["transparency"] = transparent * {"L;2": 85, "L;4": 17}[raw_mode]
    elif raw_mode == "RGB;16B":
        file.info["transparency"] = tuple(value >> 8 for value in transparent)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what Pillow raises while it reads a file into one sentence, and silence its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what it mends by itself
            yield
    except UnidentifiedImageError:
        formats = listed(sorted(set(FORMATS.values())))
        raise ValueError(
            f"{name}: it is no image that can be read; expected: {formats}, of at most 32 bits per value."
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name}: it has too many pixels; allowed: at most {MOST_PIXELS:,} in an image.") from None
    except (OSError, SyntaxError, EOFError, IndexError, TypeError, ValueError, struct.error) as error:  # damaged files
        raise ValueError(f"{name}: the image is damaged: {str(error).rstrip('.') or type(error).__name__}.") from None


def read_image(path: Path, conversion: Conversion) -> Pixels:
    """The numbers of an image file, rotated as the camera noted; those of the first frame if there are several.

    Raises:
        ValueError: It is no such file, too large, damaged, or holds a number that is not finite; the sentence names it.
    """
    name = relative_name(path)
    with _explained(name):
        file = Image.open(path, formats=tuple(set(FORMATS.values())))
    with file:
        if file.width * file.height > MOST_PIXELS:
            size = f"{file.width:,} x {file.height:,} pixels"
            raise ValueError(f"{name}: it has {size}; allowed: at most {MOST_PIXELS:,} in an image.")
        with _explained(name):
            _scale_transparency(file)
            every_tag = getattr(file, "tag_v2", {})
            tags = {tag: every_tag[tag] for tag in (BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT) if tag in every_tag}
            image = ImageOps.exif_transpose(file)
    if image.mode == "F" and not (np.abs(np.asarray(image)) <= LARGEST).all():
        raise ValueError(f"{name}: it holds a number that is not finite, or above {LARGEST:g}; expected: others.")
    with _explained(name):
        return to_pixels(image, conversion, tags)

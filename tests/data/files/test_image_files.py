"""Every mode of Pillow: values computed by hand, from memory and from files."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data.files.image_files import Conversion, read_image, to_pixels

GREY, COLOR = (Conversion(mode, 4, "white") for mode in ("L", "RGB"))
BROWN = (200, 100, 50)  # grey: 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
PALE = (244, 224, 214)  # a fifth of brown and four fifths of white; grey: 72.956 + 131.488 + 24.396 = 228.8


def new(mode, value, **info):
    image = Image.new(mode, (3, 2), value)
    image.info.update(info)
    return image


def with_palette(mode, value, **info):
    image = new(mode, value, **info)
    image.putpalette([0, 0, 0] * 3 + list(BROWN))
    return image


BYTES = {
    "1": (new("1", 1), 255, (255, 255, 255)),
    "L": (new("L", 77), 77, (77, 77, 77)),
    "P": (with_palette("P", 3), 124, BROWN),
    "RGB": (new("RGB", BROWN), 124, BROWN),
    "RGBX": (new("RGBX", (*BROWN, 0)), 124, BROWN),
    "RGBA": (new("RGBA", (*BROWN, 51)), 229, PALE),
    "RGBa": (new("RGBa", (40, 20, 10, 51)), 229, PALE),  # brown times a fifth
    "LA": (new("LA", (200, 51)), 244, (244, 244, 244)),
    "La": (new("La", (40, 51)), 244, (244, 244, 244)),
    "PA": (with_palette("PA", (3, 51)), 229, PALE),
    "CMYK": (new("CMYK", (55, 155, 205, 0)), 124, BROWN),  # 255 minus brown
    "CMYK, black": (new("CMYK", (0, 0, 0, 55)), 200, (200, 200, 200)),
    "YCbCr": (new("YCbCr", (76, 85, 255)), 76, (254, 0, 0)),  # red: 76 + 1.402 * 127
    "HSV": (new("HSV", (0, 255, 200)), 60, (200, 0, 0)),  # 0.299 * 200 = 59.8
    "LAB": (new("LAB", (128, 128, 128)), 119, (119, 119, 119)),  # Y = ((50.2 + 16) / 116)^3 = 0.186, sRGB 0.468
    "1, transparent": (new("1", 0, transparency=0), 255, (255, 255, 255)),
    "L, transparent": (new("L", 77, transparency=77), 255, (255, 255, 255)),
    "L, opaque": (new("L", 77, transparency=78), 77, (77, 77, 77)),
    "RGB, transparent": (new("RGB", BROWN, transparency=BROWN), 255, (255, 255, 255)),
    "P, transparent": (with_palette("P", 3, transparency=3), 255, (255, 255, 255)),
    "P, alphas": (with_palette("P", 3, transparency=b"\xff\xff\xff\x33"), 229, PALE),
}
"""By mode: an image of one value, and what it is as grey value and as colour, where transparency shows white."""


@pytest.mark.parametrize("name", BYTES)
def test_modes_of_8_bits(name):
    image, grey, color = BYTES[name]
    for look, expected in ((GREY, [grey]), (COLOR, color)):
        pixels = to_pixels(image, look)
        assert pixels.bounded and pixels.values.dtype == np.uint8 and pixels.values.shape == (len(expected), 4, 4)
        np.testing.assert_array_equal(pixels.values, np.tile(np.reshape(expected, (-1, 1, 1)), (1, 4, 4)))


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_16_bits_are_a_share_of_their_largest_value(mode):
    image = Image.new(mode, (3, 2), 0x0101)  # 257 of 65,535 are 1 of 255
    image.putpixel((2, 0), 65535)
    image.putpixel((2, 1), 65535)
    for look, channels in ((Conversion("L", 6, "white"), 1), (Conversion("RGB", 6, "white"), 3)):
        pixels = to_pixels(image, look)
        assert pixels.bounded and pixels.values.dtype == np.float32 and pixels.values.shape == (channels, 6, 6)
        np.testing.assert_allclose(pixels.values[:, :, [0, 5]], np.full((channels, 6, 2), (1 / 255, 1)), rtol=1e-6)


@pytest.mark.parametrize(("background", "shown"), [("white", 1), ("black", 0)])
def test_a_transparent_value_of_16_bits_shows_the_background(background, shown):
    pixels = to_pixels(new("I;16", 300, transparency=300), Conversion("L", 4, background))
    assert (pixels.values == shown).all()
    pixels = to_pixels(new("I;16", 13107, transparency=300), Conversion("L", 4, background))
    np.testing.assert_allclose(pixels.values, 0.2, rtol=1e-6)


@pytest.mark.parametrize(("mode", "value"), [("I", 70_000), ("I", -5), ("F", 0.25), ("F", -1e20)])
def test_unbounded_values_stay_what_they_are(mode, value):
    for look in (GREY, COLOR):
        pixels = to_pixels(new(mode, value), look)
        assert not pixels.bounded and pixels.values.shape[0] == Image.getmodebands(look.mode)
        np.testing.assert_array_equal(pixels.values, np.float32(value))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_black_background(mode):
    pixels = to_pixels(new(mode, (*BROWN, 51) if mode == "RGBA" else (200, 51)), Conversion("RGB", 4, "black"))
    assert pixels.values[:, 0, 0].tolist() == ([40, 20, 10] if mode == "RGBA" else [40, 40, 40])


# Files


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["1", "L", "P", "RGB", "RGBX", "RGBA", "LA", "PA", "CMYK", "YCbCr", "LAB"])
def test_a_tiff_file_of_each_mode(folder, name):
    image, grey, color = BYTES[name]
    image.save(folder / "a.tif")
    assert read_image(folder / "a.tif", GREY).values[:, 0, 0].tolist() == [grey]
    assert read_image(folder / "a.tif", COLOR).values[:, 3, 3].tolist() == list(color)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_a_deep_tiff_file(folder, mode):
    new(mode, 13107).save(folder / "a.tif")
    pixels = read_image(folder / "a.tif", GREY)
    assert pixels.bounded == mode.startswith("I;16")
    np.testing.assert_allclose(pixels.values, 0.2 if pixels.bounded else 13107, rtol=1e-6)


def write_tiff(path, content, bits, photometric=1, sample_format=1):
    """A file of 2 x 1 grey values, little-endian; see TIFF 6.0."""
    tags = {256: 2, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(content),
            339: sample_format}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHI", b"II", 42, 8 + len(content))
    path.write_bytes(head + content + struct.pack("<H", len(tags)) + entries + bytes(4))


@pytest.mark.parametrize(
    ("content", "options", "expected", "bounded"),
    [
        (bytes([0x33, 0x3F, 0xFF]), {"bits": 12}, [819 / 4095, 1], True),
        (struct.pack("<2H", 13107, 0), {"bits": 16, "photometric": 0}, [0.8, 1], True),
        (struct.pack("<2h", -3, 5), {"bits": 16, "sample_format": 2}, [-3, 5], False),
        (struct.pack("<2I", 7, 3 << 30), {"bits": 32}, [7, 3 << 30], False),
        (struct.pack("<2i", 7, -7), {"bits": 32, "sample_format": 2}, [7, -7], False),
        (struct.pack("<2f", 0.5, -0.5), {"bits": 32, "sample_format": 3}, [0.5, -0.5], False),
    ],
    ids=["12 bits", "white is 0", "signed 16 bits", "unsigned 32 bits", "signed 32 bits", "floating-point"],
)
def test_what_a_tiff_file_says_of_its_values_is_kept_to(folder, content, options, expected, bounded):
    write_tiff(folder / "a.tif", content, **options)
    pixels = read_image(folder / "a.tif", GREY)
    assert pixels.bounded == bounded
    np.testing.assert_allclose(pixels.values[0, :, [0, 3]].T, np.broadcast_to(expected, (4, 2)), rtol=1e-6)


def write_png(path, bits, colour_type, row, transparent):
    """A file of one row with a transparent value; see the specification of PNG, 11.2 and 11.3.2.1."""
    width = len(row) * 8 // (bits * (3 if colour_type == 2 else 1))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, colour_type, 0, 0, 0)),
        (b"tRNS", transparent), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b""),
    ]  # fmt: skip
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "row", "key", "expected"),
    [
        (1, b"\x40", 0, [255] * 8),
        (1, b"\x40", 1, [0, 255, 0, 0, 0, 0, 0, 0]),
        (2, b"\x1b", 1, [0, 255, 170, 255]),  # 0, 1, 2 and 3
        (4, b"\x3f", 3, [255, 255]),
        (4, b"\x3f", 2, [51, 255]),
        (8, b"\x33\x11", 0x33, [255, 17]),
        (16, b"\x33\x33\x33\x34", 0x3333, [65535, 0x3334]),
    ],
)
def test_the_transparent_grey_value_of_a_png_file(folder, bits, row, key, expected):
    write_png(folder / "a.png", bits, 0, row, struct.pack(">H", key))
    pixels = read_image(folder / "a.png", Conversion("L", len(expected), "white"))
    largest = 65535 if bits == 16 else 1
    np.testing.assert_allclose(pixels.values[0, 0] * np.float64(largest), expected, rtol=1e-6)


def test_the_transparent_colour_of_a_png_file_of_16_bits(folder):
    row = struct.pack(">6H", 0xC864, 0x32FF, 0, 1, 2, 0xFFFF)
    write_png(folder / "a.png", 16, 2, row, row[:6])
    pixels = read_image(folder / "a.png", Conversion("RGB", 2, "white"))
    assert pixels.values[:, 0].T.tolist() == [[255, 255, 255], [0, 0, 255]]


def test_a_damaged_transparent_value_is_said_with_the_name_of_the_image(folder):
    write_png(folder / "a.png", 8, 0, b"\1\2", b"\0")
    with pytest.raises(ValueError, match=r"^a.png: the image is damaged: Truncated tRNS chunk\.$"):
        read_image(folder / "a.png", GREY)

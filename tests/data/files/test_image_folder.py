"""Folders of images: pixels as they were saved, and a sentence that names the image that is wrong."""

import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from data import DATASETS
from data.files import image_files, image_folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    return tmp_path


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path, **options)


GREYS = {"cat": range(10, 22), "dog": range(100, 112)}


@pytest.fixture
def pets(folder):
    for name, greys in GREYS.items():
        for grey in greys:
            save(folder / "pets" / name / f"{grey}.png", np.full((6, 5), grey, np.uint8))
    return folder / "pets"


def make(**fields):
    return DATASETS["image_folder"](**{"path": "pets", "size": 8, "standardize": False, **fields})


def everything(data):
    parts = (data.parts.train, data.parts.validation, data.parts.test)
    return torch.cat([part.inputs for part in parts]), torch.cat([part.targets for part in parts])


def test_each_folder_is_a_class_and_grey_values_become_0_to_1(pets):
    data = make()
    inputs, targets = everything(data)
    assert data.dims == {"input_shape": (1, 8, 8), "num_outputs": 1, "task": "binary"}
    assert data.class_names == ("cat", "dog") and data.source == "images in pets"
    for number, greys in enumerate(GREYS.values()):
        assert sorted((inputs[targets == number, 0, 0, 0] * 255).round().int().tolist()) == list(greys)
    assert (inputs == inputs[:, :, :1, :1]).all()
    assert torch.bincount(data.parts.test.targets).tolist() == [2, 3] or data.sizes["test"] == 5


def test_colours_are_three_channels_red_green_blue(pets):
    for name in GREYS:
        save(pets / name / "red.png", np.tile(np.array([255, 128, 0], np.uint8), (6, 5, 1)))
    inputs, _ = everything(make(channels="color"))
    red = inputs[inputs[:, 0, 0, 0] == 1]
    assert red.shape == (2, 3, 8, 8)
    torch.testing.assert_close(red.mean(dim=(0, 2, 3)), torch.tensor([1.0, 128 / 255, 0.0]))


@pytest.mark.parametrize("channels", ["grey", "color"])
def test_an_image_of_the_wanted_size_stays_as_it_is(pets, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = pixels if channels == "color" else pixels[:, :, 0]
    save(pets / "cat" / "noise.png", pixels)
    inputs, _ = everything(make(channels=channels))
    expected = torch.tensor(pixels).float().reshape(8, 8, -1).movedim(2, 0) / 255  # (channels, rows, columns)
    assert any(torch.equal(image, expected) for image in inputs)


@pytest.mark.parametrize("end", [".png", ".JPG", ".bmp", ".gif", ".webp", ".tif"])
def test_every_format_is_read(pets, end):
    save(pets / "dog" / f"new{end}", np.full((8, 8), 200, np.uint8))
    inputs, _ = everything(make())
    assert (inputs.amax(dim=(1, 2, 3)) - 200 / 255).abs().min() < 0.01


def test_images_of_8_and_of_16_bits_may_be_mixed(pets):
    save(pets / "cat" / "deep.png", np.full((8, 8), 0x40FF, np.uint16))
    inputs, targets = everything(make())
    values = (inputs[targets == 0].amax(dim=(1, 2, 3)) * 255).round(decimals=3).tolist()
    assert sorted(values) == [*GREYS["cat"], pytest.approx(0x40FF / 257, abs=1e-3)]


@pytest.mark.parametrize(("background", "shown"), [("white", 1.0), ("black", 0.0)])
def test_colours_under_transparent_pixels_are_not_learnt(folder, background, shown):
    for name, colour in (("red", (255, 0, 0, 0)), ("blue", (0, 0, 255, 0))):
        for number in range(10):
            save(folder / "pets" / name / f"{number}.png", np.full((8, 8, 4), colour, np.uint8))
    inputs, targets = everything(make(channels="color", background=background))
    assert (inputs == shown).all() and targets.sum() == 10


def save_deep(folder, kind, **highest):
    """Ten images a class, of one value each: image k of class c has k / 9 of that class's highest value."""
    for name, high in highest.items():
        for number in range(10):
            save(folder / name / f"{number}.tif", np.full((6, 5), number * high / 9, kind))


@pytest.mark.parametrize("channels", ["grey", "color"])
@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_32_bit_values_are_scaled_by_the_range_outside_the_test_part(folder, kind, channels):
    save_deep(folder / "depth" / "train", kind, a=270, b=900)
    save_deep(folder / "depth" / "test", kind, a=270, b=1800)
    data = make(path="depth", channels=channels)
    assert data.source == "images in depth, grey values 0 to 900 as 0 to 1"
    learnt = torch.cat([data.parts.train.inputs, data.parts.validation.inputs])
    expected = sorted([k * 30 / 900 for k in range(10)] + [k * 100 / 900 for k in range(10)])
    torch.testing.assert_close(learnt[:, 0, 0, 0].sort().values, torch.tensor(expected))
    tested = data.parts.test.inputs[10:, 0, 0, 0]  # class b
    torch.testing.assert_close(tested, torch.tensor([k * 200 / 900 for k in range(10)]))
    assert (learnt == learnt[:, :1, :1, :1]).all()


def test_the_range_of_32_bit_values_does_not_depend_on_images_that_are_set_aside_for_the_test_part(folder):
    save_deep(folder / "depth", np.float32, a=-9, b=90)
    data = make(path="depth")
    learnt = torch.cat([data.parts.train.inputs, data.parts.validation.inputs])
    assert (learnt.min(), learnt.max()) == (0, 1)
    assert data.source == make(path="depth", seed_data=5).source


def test_32_bit_images_of_one_value_only_are_black(folder):
    save_deep(folder / "depth", np.float32, a=0, b=0)
    assert not everything(make(path="depth"))[0].any()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 2e30])
def test_a_pixel_that_is_not_finite_is_refused_with_the_name_of_the_image(folder, odd):
    save_deep(folder / "depth", np.float32, a=3, b=4)
    pixels = np.zeros((40, 40), np.float32)
    pixels[7, 9] = odd
    save(folder / "depth" / "a" / "odd.tif", pixels)
    with pytest.raises(ValueError, match=r"^depth/a/odd.tif: it holds a number that is not finite, or above 1e\+30"):
        make(path="depth")


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("flat", [np.uint8, np.uint16])
def test_32_bit_images_are_not_mixed_with_others(folder, part, flat):
    for name in ("train", "test"):
        save_deep(folder / "depth" / name, np.float32, a=3, b=4)
    save(folder / "depth" / part / "a" / "flat.png", np.zeros((4, 4), flat))
    with pytest.raises(ValueError, match=rf"^depth/train/a/0.tif: .* white of depth/{part}/a/flat.png; expected: im"):
        make(path="depth")


def test_the_orientation_that_a_camera_noted_is_kept_to(pets):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    save(pets / "cat" / "turned.png", pixels, exif=exif)
    inputs, _ = everything(make())
    turned = inputs[inputs.amax(dim=(1, 2, 3)) == 1]
    assert turned[0, 0, -1].eq(1).all() and turned[0, 0, :-1].eq(0).all()


@pytest.mark.parametrize(("kind", "end"), [(np.uint8, "png"), (np.uint16, "png"), (np.uint16, "tif"), ("f4", "tif")])
def test_an_image_of_any_depth_is_turned(folder, kind, end):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right by a quarter
    pixels = np.zeros((8, 8), kind)
    pixels[:, :2] = 200
    for name, bar in (("left", pixels), ("right", pixels[:, ::-1].copy())):
        for number in range(10):
            save(folder / "pets" / name / f"{number}.{end}", bar, exif=exif)
    inputs, targets = everything(make())
    rows = inputs[:, 0, :, 4] > 0
    assert (rows == inputs[:, 0, :, 5].gt(0)).all()
    assert (rows[targets == 0] == torch.tensor([True] * 2 + [False] * 6)).all()  # what was on the left is on top
    assert (rows[targets == 1] == torch.tensor([False] * 6 + [True] * 2)).all()


def test_train_and_test_folders_are_kept_apart(folder, pets):
    shutil.copytree(pets, folder / "both" / "train")
    (folder / "both" / "test").mkdir()
    pets.joinpath("dog").rename(folder / "both" / "test" / "dog")
    data = make(path="both")
    assert data.sizes == {"train": 19, "validation": 5, "test": 12}
    assert data.parts.test.targets.tolist() == [1] * 12 and data.class_names == ("cat", "dog")
    (folder / "both" / "test" / "dog").rename(folder / "both" / "test" / "cow")
    with pytest.raises(ValueError, match="both/test/cow: train has no such class; expected: cat, dog"):
        make(path="both")


def test_a_class_may_be_a_link_to_another_folder_and_keeps_its_own_name(folder, pets):
    (folder / "elsewhere").mkdir()
    (pets / "cat").rename(folder / "elsewhere" / "many")
    os.symlink(folder / "elsewhere" / "many", pets / "cat")
    data = make()
    assert data.class_names == ("cat", "dog") and sum(data.sizes.values()) == 24


def test_other_files_and_hidden_ones_are_left_alone(pets):
    (pets / "notes.txt").write_text("not an image")
    (pets / ".hidden").mkdir()
    (pets / "cat" / "Thumbs.db").write_bytes(b"?")
    (pets / "cat" / ".DS_Store.png").write_bytes(b"?")
    assert sum(make().sizes.values()) == 24


def content(pets, size=None):
    return (pets / "cat" / "10.png").read_bytes()[:size]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda pets: (pets / "cat" / "bad.png").write_bytes(b"no image"),
            "pets/cat/bad.png: it is no image that can be",
        ),
        (lambda pets: (pets / "cat" / "bad.png").write_bytes(b""), "pets/cat/bad.png: it is no image that can be read"),
        (
            lambda pets: (pets / "cat" / "bad.png").write_bytes(content(pets, 50)),
            "pets/cat/bad.png: the image is damaged",
        ),
        (
            lambda pets: (pets / "cat" / "bad.png").write_bytes(content(pets, 20)),
            "pets/cat/bad.png: the image is damaged",
        ),
        (
            lambda pets: (pets / "cat" / "bad.png").write_text("%!PS-Adobe-3.0 EPSF-3.0"),
            "it is no image that can be read",
        ),
        (lambda pets: (pets / "bird").mkdir(), "pets/bird: it holds no images; expected: files that end in .png"),
        (lambda pets: save(pets / "bird" / "1.png", [[True]]), "pets/bird: it holds one image; expected: two or more"),
        (lambda pets: shutil.rmtree(pets / "cat"), 'pets: there is only one class, "dog"; expected: two or more'),
        (
            lambda pets: os.symlink("/etc/hostname", pets / "cat" / "x.png"),
            "pets/cat/x.png: it is a link that leads out",
        ),
        (lambda pets: os.symlink("/etc", pets / "bird"), "pets/bird: it is a link that leads out of the data folder"),
    ],
)
def test_what_is_wrong_is_said_with_the_name_of_the_image(folder, pets, spoil, sentence):
    spoil(pets)
    with pytest.raises(ValueError, match=sentence) as refusal:
        make()
    assert "\n" not in str(refusal.value) and str(folder) not in str(refusal.value)


def test_folders_that_hold_no_classes_are_refused(pets):
    with pytest.raises(ValueError, match="cat: it holds no folders; expected: a folder a class"):
        make(path="pets/cat")
    with pytest.raises(ValueError, match="allowed: a folder, which this is not"):
        make(path="pets/cat/10.png")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"size": 3}, "size: 3 is not allowed; allowed: 4 to 256"),
        ({"background": "grey"}, 'background: "grey" is not allowed; allowed: white, black'),
        ({"channels": "gray"}, r'channels: "gray" is not allowed; allowed: grey, color; did you mean grey\?'),
        ({"test_fraction": 0.0}, "test_fraction: 0.0 is not allowed"),
    ],
)
def test_options_are_checked(pets, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(**fields)


def test_too_much_is_refused(pets, monkeypatch):
    monkeypatch.setattr(image_files, "MOST_PIXELS", 29)
    with pytest.raises(ValueError, match=r"pets/cat/10.png: it has 5 x 6 pixels; allowed: at most 29 in an image"):
        make(size=9)
    monkeypatch.setattr("data.files.common.MOST_VALUES", 24 * 64 - 1)
    with pytest.raises(ValueError, match="pets: 24 examples of 64 inputs are 1,536 values; allowed: at most 1,535"):
        make()
    monkeypatch.setattr(image_folder, "MOST_IMAGES", 23)
    with pytest.raises(ValueError, match="pets: it holds 24 images; allowed: at most 23"):
        make()


def test_an_image_that_unpacks_to_far_too_much_is_refused(pets, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow raises above twice as many
    with pytest.raises(ValueError, match=r"pets/cat/10.png: it has too many pixels"):
        make()


def test_images_are_read_once_until_one_changes(pets, monkeypatch):
    reads = []
    read_image = image_files.read_image
    monkeypatch.setattr(image_folder, "read_image", lambda path, look: reads.append(path) or read_image(path, look))
    for seed in range(3):
        assert make(seed_data=seed).parts
    assert len(reads) == 24
    os.utime(pets / "cat" / "10.png", ns=(1, 1))
    assert make().parts and len(reads) == 48
    assert make(background="black").parts and len(reads) == 72
    assert make().parts and make(background="black").parts and len(reads) == 72

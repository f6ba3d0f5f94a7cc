"""What every data set must keep to, whichever it is."""

import struct
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader

from data import DATASETS
from data.parts import Batches
from data.tabular import Classification, Images, Tabular
from learning_tasks import TASKS, Batch
from learning_tasks.base import leaves

TABLES = [name for name, data in DATASETS.items() if issubclass(data, Tabular)]
PARTS = ("train", "validation", "test")
CLASSIFICATIONS = [name for name in TABLES if issubclass(DATASETS[name], Classification)]
OWN = {
    "csv_regression": {"path": "table.csv", "target": "size"},
    "csv_classification": {"path": "table.csv", "target": "kind"},
    "idx": {"images": "images-idx3-ubyte", "labels": "labels-idx1-ubyte"},
    "image_folder": {"path": "pictures", "size": 4},
    "labelled_lines": {"path": "lines.txt"},
}
"""What sets made of files need beside the options of all; the files are written by `own_files`."""
every_table = pytest.mark.parametrize("name", TABLES)
every_set = pytest.mark.parametrize("name", list(DATASETS))


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    images, labels = random.integers(0, 256, (180, 4, 3), dtype=np.uint8), np.arange(180, dtype=np.uint8) % 3
    (folder / "images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 180, 4, 3) + images.tobytes())
    (folder / "labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 180) + labels.tobytes())
    lines = [f"{random.normal()},{'abc'[i % 3]},{random.normal()},{('x', 'y')[i % 2]}" for i in range(180)]
    (folder / "table.csv").write_text("\n".join(["height,colour,size,kind", *lines]))
    words = random.choice(["red", "green", "blue", "very", "not"], (180, 6))
    (folder / "lines.txt").write_text(
        "\n".join(f"{'xyz'[i % 3]} {' '.join(words[i, : 1 + i % 6])}" for i in range(180))
    )
    for place, image in enumerate(images):
        (folder / "pictures" / str(place % 4)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "pictures" / str(place % 4) / f"{place}.png")
    return folder


@pytest.fixture(autouse=True, scope="module")
def parts_are_forgotten():
    yield
    raw.cache_clear()


@pytest.fixture(autouse=True)
def own_files(data_folder, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(data_folder))


def make(name, **fields):
    return DATASETS[name](**OWN.get(name, {}), **fields)


@cache
def raw(name, **fields):
    """The parts before they are standardised; made once for all tests of this file, which only read them."""
    return make(name, standardize=False, **fields).parts


def same(one, other):
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


# Every set, whatever its inputs are


def leaves_of(part, indices=slice(None)):
    """The tensors of the batch of these examples."""
    return list(leaves(part.batch(indices)))


def equal(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def few(name):
    """A train_size that leaves some examples out."""
    return 2 if len(make(name).parts.train) < 20 else 10


@every_set
def test_a_batch_is_a_batch_whose_leaves_are_tensors(name):
    data = make(name)
    assert data.dims["task"] == data.task in TASKS and data.gives
    for part, size in zip((data.parts.train, data.parts.validation, data.parts.test), data.sizes.values(), strict=True):
        batch = part.batch(torch.arange(min(3, size)))
        assert isinstance(batch, Batch) and len(part) == size > 0 and part.at_once >= 1
        assert all(isinstance(leaf, torch.Tensor) for leaf in leaves(batch))
        whole = part.batch(slice(None))
        assert int(TASKS[data.task]().count(whole.targets)) >= size
        assert equal(leaves_of(part.to("cpu")), leaves_of(part))


@every_set
def test_the_same_seed_gives_the_same_parts_and_the_test_part_is_always_the_same(name):
    first, again, other = (make(name, seed_data=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert make(name, seed_data=1, seed_order=9, batch_size=3).digest == first.digest
    as_they_are = {"standardize": False} if name in TABLES else {}
    test = leaves_of(make(name, **as_they_are).parts.test)
    for fields in ({"seed_data": 2}, {"train_size": few(name)}, {"validation_fraction": 0.5}):
        assert equal(leaves_of(make(name, **fields, **as_they_are).parts.test), test), fields


@every_set
def test_a_smaller_training_set_is_the_beginning_of_a_larger_one(name):
    size = few(name)
    small, whole = make(name, train_size=size), make(name)
    assert small.sizes["train"] == size < whole.sizes["train"]
    assert small.dims == whole.dims, "what a model is built from does not depend on it"
    if name not in TABLES:  # these are standardised by what is left
        assert equal(leaves_of(small.parts.train), leaves_of(whole.parts.train, slice(size)))
        assert equal(leaves_of(whole.parts.train.first(size)), leaves_of(whole.parts.train, slice(size)))


@every_set
def test_an_epoch_shows_everything_once_in_an_order_of_its_own_seed(name):
    data = make(name, batch_size=3)
    task, whole = TASKS[data.task](), data.parts.train.batch(slice(None))
    batches = list(data.train_dataloader())
    assert sum(int(task.count(batch.targets)) for batch in batches) == int(task.count(whole.targets))
    same_order, other_order = (list(make(name, batch_size=3, seed_order=seed).train_dataloader()) for seed in (0, 1))
    assert all(equal(list(leaves(a)), list(leaves(b))) for a, b in zip(batches, same_order, strict=True))
    assert not all(equal(list(leaves(a)), list(leaves(b))) for a, b in zip(batches, other_order, strict=True))


# Vectors and images


@every_table
def test_shapes_types_and_dims(name):
    data = make(name)
    dims, classification = data.dims, data.task != "regression"
    assert dims["task"] == data.task
    for part, size in zip((data.parts.train, data.parts.validation, data.parts.test), data.sizes.values(), strict=True):
        assert part.inputs.shape == (size, *dims["input_shape"])
        assert part.targets.shape == ((size, dims["num_outputs"]) if data.task == "multilabel" else (size,))
        assert part.inputs.dtype == torch.float32
        assert part.targets.dtype == (torch.int64 if classification else torch.float32)
        assert part.inputs.isfinite().all()
    if data.task == "multiclass":
        assert set(data.parts.train.targets.tolist()) == set(range(dims["num_outputs"]))
    elif data.task != "multilabel":
        assert dims["num_outputs"] == 1
    if data.task == "binary":
        assert set(data.parts.train.targets.tolist()) == {0, 1}


@every_table
def test_the_test_part_depends_on_no_seed_and_no_option_of_the_training_part(name):
    test = raw(name).test
    options = {
        "seed_data": 7,
        "seed_order": 8,
        "train_size": 20,
        "label_noise": 0.5,
        "validation_fraction": 0.5,
        "batch_size": 1,
    }
    for key, value in options.items():
        assert same(test, raw(name, **{key: value}).test), key


@every_table
def test_the_data_seed_decides_the_training_part_and_the_order_seed_does_not(name):
    assert make(name).digest == make(name, seed_order=5, batch_size=3).digest
    assert make(name).digest != make(name, seed_data=5).digest
    assert not same(raw(name).train, raw(name, seed_data=5).train)
    assert not same(raw(name).validation, raw(name, seed_data=5).validation)


@every_table
def test_standardisation_is_fitted_on_the_training_part_only(name):
    plain, scaled = raw(name, train_size=40), make(name, train_size=40).parts
    scaler = StandardScaler().fit(plain.train.inputs.flatten(1).double().numpy())
    for part in ("train", "validation", "test"):
        inputs = getattr(plain, part).inputs
        expected = torch.tensor(scaler.transform(inputs.flatten(1).double().numpy())).float()
        torch.testing.assert_close(getattr(scaled, part).inputs.flatten(1), expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(getattr(scaled, part).targets, getattr(plain, part).targets)


@every_table
def test_smaller_training_sets_lie_within_larger_ones_and_validation_stays(name):
    small, large, whole = raw(name, train_size=10), raw(name, train_size=30), raw(name)
    assert len(small.train) == 10
    assert torch.equal(small.train.inputs, large.train.inputs[:10])
    assert torch.equal(large.train.inputs, whole.train.inputs[:30])
    assert same(small.validation, whole.validation)


@every_table
def test_validation_fraction_is_of_what_is_not_test(name):
    sizes = make(name, validation_fraction=0.25).sizes
    assert sizes["validation"] == round(0.25 * (sizes["train"] + sizes["validation"]))


@pytest.mark.parametrize("name", CLASSIFICATIONS)
def test_label_noise_gives_an_exact_share_of_training_examples_another_class(name):
    clean, some, more = raw(name), raw(name, label_noise=0.2), raw(name, label_noise=0.4)
    changed = clean.train.targets != some.train.targets
    assert changed.sum() == round(0.2 * len(clean.train))
    assert torch.equal(some.train.targets[changed], more.train.targets[changed])
    assert some.train.targets.max() <= clean.train.targets.max()
    assert torch.equal(clean.train.inputs, some.train.inputs)
    assert same(clean.validation, some.validation)
    assert (raw(name, label_noise=1.0).train.targets != clean.train.targets).all()


def true_targets(name, **fields):
    """The targets of the training part before label noise; of a noisy curve before all noise."""
    return raw(name, **fields, **({"noise": 0.0} if name == "noisy_curve" else {})).train.targets


@every_table
@pytest.mark.parametrize("fields", [{}, {"train_size": 30}, {"disjoint": (1, 3), "seed_data": 1}])
def test_label_noise_leaves_the_true_targets_beside_the_noisy_ones(name, fields):
    if "disjoint" in fields and DATASETS[name].fresh:
        return
    noisy = raw(name, label_noise=0.3, **fields)
    assert torch.equal(noisy.train.clean, true_targets(name, **fields))
    assert torch.equal(noisy.train_eval.clean, noisy.train.clean) and noisy.test.clean is None
    moved = noisy.to("cpu").train
    assert torch.equal(moved.clean, noisy.train.clean) and same(moved, noisy.train)


@every_table
def test_targets_without_noise_are_true_and_have_none_beside_them(name):
    parts = raw(name, **({"noise": 0.0} if name == "noisy_curve" else {}))
    assert [getattr(parts, part).clean for part in (*PARTS, "train_eval")] == [None] * 4


def test_an_imbalanced_set_keeps_the_true_target_of_each_example():
    noisy, clean = (raw("moons", imbalance=4.0, label_noise=share) for share in (0.3, 0.0))
    assert torch.equal(noisy.train.clean, clean.train.targets) and torch.equal(noisy.train.inputs, clean.train.inputs)


def rows(part):
    return {
        (*inputs, target) for inputs, target in zip(part.inputs.flatten(1).tolist(), part.targets.tolist(), strict=True)
    }


def class_counts(name, **fields):
    parts, classes = raw(name, **fields), len(make(name).class_names)
    return {part: np.bincount(getattr(parts, part).targets, minlength=classes) for part in PARTS}


@pytest.mark.parametrize("name", CLASSIFICATIONS)
def test_imbalance_takes_examples_away_from_all_parts_and_the_more_the_larger_it_is(name):
    plain, some, more = (raw(name, imbalance=imbalance) for imbalance in (1.0, 4.0, 16.0))
    for part in PARTS:
        assert rows(getattr(more, part)) < rows(getattr(some, part)) < rows(getattr(plain, part)), part
    assert make(name).digest == make(name, imbalance=1).digest


@pytest.mark.parametrize("name", CLASSIFICATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_imbalance_keeps_of_each_class_its_share_of_the_largest(name, seed):
    before, after = (class_counts(name, seed_data=seed, imbalance=imbalance) for imbalance in (1.0, 9.0))
    by_size = np.argsort(-sum(before.values()), kind="stable")
    for part in PARTS:
        expected = before[part].copy()
        for place, label in enumerate(by_size):
            share = 9.0 ** (-place / (len(by_size) - 1))
            expected[label] = min(expected[label], max(round(before[part][by_size[0]] * share), 1))
        assert after[part].tolist() == expected.tolist(), part
        assert after[part][by_size[-1]] <= max(after[part][by_size[0]] / 5, 1)


def test_imbalance_by_hand():
    assert class_counts("moons", imbalance=20)["test"].tolist() == [500, 25]
    # 334 of 1,000, then a tenth root and a tenth of it.
    assert class_counts("blobs", imbalance=10)["test"].tolist() == [334, 106, 33]


@pytest.mark.parametrize("name", CLASSIFICATIONS)
def test_the_rare_class_is_the_same_for_every_seed_and_never_gone(name):
    counts = [class_counts(name, seed_data=seed, imbalance=1000.0) for seed in range(3)]
    assert len({count["test"].argmin() for count in counts}) == 1
    assert all(count["test"].min() == 1 for count in counts)
    assert all(count["train"].min() >= 1 for count in counts)
    assert make(name, imbalance=1000.0).dims == make(name).dims


@pytest.mark.parametrize("name", CLASSIFICATIONS)
def test_the_imbalanced_test_part_depends_on_no_seed_and_no_option_of_the_training_part(name):
    test = raw(name, imbalance=5).test
    for key, value in {"seed_data": 7, "seed_order": 8, "train_size": 8, "label_noise": 0.5}.items():
        assert same(test, raw(name, imbalance=5, **{key: value}).test), key
    assert not same(raw(name, imbalance=5).train, raw(name, imbalance=5, seed_data=7).train)


def test_a_smaller_training_set_has_the_same_share_of_the_rare_class():
    targets = raw("moons", imbalance=10, num_samples=20_000).train.targets
    places = np.flatnonzero(targets.numpy()) / len(targets)
    assert abs(places.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(places))  # four standard errors of a uniform mean


def test_only_classifications_have_an_imbalance():
    with pytest.raises(TypeError, match="imbalance"):
        make("diabetes", imbalance=2.0)


@pytest.mark.parametrize("name", CLASSIFICATIONS)
def test_every_class_has_a_name_of_its_own(name):
    names = make(name).class_names
    assert len(set(names)) == len(names) == int(make(name).parts.test.targets.max()) + 1


def test_label_noise_in_regression_is_a_share_of_the_deviation_of_the_training_targets():
    clean, noisy, double = (raw("diabetes", label_noise=share) for share in (0.0, 0.5, 1.0))
    noise = noisy.train.targets - clean.train.targets
    torch.testing.assert_close(double.train.targets - clean.train.targets, 2 * noise)
    share = noise.std() / clean.train.targets.std()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(2 * len(noise))  # four standard errors of a deviation
    assert same(clean.validation, noisy.validation)


@every_table
@pytest.mark.parametrize("batch_size", [1, 7, 64, "full"])
def test_an_epoch_holds_every_training_example_once(name, batch_size):
    data = make(name, batch_size=batch_size, train_size=60)
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader)
    targets = torch.cat([targets for _, targets in batches])
    inputs = torch.cat([inputs for inputs, _ in batches])
    order = np.lexsort(inputs.flatten(1).T.numpy())
    expected = np.lexsort(data.parts.train.inputs.flatten(1).T.numpy())
    assert torch.equal(inputs[order], data.parts.train.inputs[expected])
    assert sorted(targets.tolist()) == sorted(data.parts.train.targets.tolist())
    assert max(len(targets) for _, targets in batches) <= (60 if batch_size in (64, "full") else batch_size + 1)


def test_no_batch_of_one_example_is_left_over():
    assert [len(indices) for indices in Batches(10, 3, seed=0)] == [3, 3, 4]
    assert [len(indices) for indices in Batches(11, 3, seed=0)] == [3, 3, 3, 2]
    assert [len(indices) for indices in Batches(3, 1, seed=0)] == [1, 1, 1]
    assert len(Batches(10, 3, seed=0)) == 3


def order(seed, epochs=1, start=0):
    batches = Batches(50, 10, seed)
    batches.set_epoch(start)
    return [torch.cat(list(batches)).tolist() for _ in range(epochs)]


def test_the_order_depends_on_the_order_seed_and_the_epoch_alone():
    first, second = order(3, epochs=2)
    assert first != second
    assert sorted(first) == list(range(50))
    assert order(3, start=1) == [second]
    assert order(4) != [first]


def test_a_full_batch_has_no_order():
    batches = [next(iter(make("iris", batch_size="full", seed_order=seed).train_dataloader())) for seed in (0, 1)]
    assert torch.equal(batches[0][0], batches[1][0])


def test_reading_batches_leaves_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    data = make("moons")
    for loader in (data.train_dataloader(), *data.val_dataloader(), data.test_dataloader()):
        assert isinstance(loader, DataLoader)
        list(loader)
    assert torch.equal(before, torch.get_rng_state())


def test_train_eval_is_a_fixed_part_of_at_most_2000_training_examples():
    parts = make("moons", num_samples=4000).parts
    assert len(parts.train) == 3200
    assert same(parts.train_eval, type(parts.train)(*parts.train.batch(slice(2000))))
    noisy = make("moons", num_samples=4000, label_noise=0.2).parts
    assert torch.equal(noisy.train_eval.clean, noisy.train.clean[:2000])
    assert len(make("iris").parts.train_eval) == make("iris").sizes["train"]


# Training sets that share no example

CUT = [name for name in TABLES if not DATASETS[name].fresh]
FRESH = [name for name in TABLES if DATASETS[name].fresh]
cut = pytest.mark.parametrize("name", CUT)


def pieces(name, count=4, **fields):
    return [raw(name, disjoint=(number, count), seed_data=number, **fields) for number in range(count)]


def joined(parts):
    inputs, targets = zip(*(piece.train.batch(slice(None)) for piece in parts), strict=True)
    return type(parts[0].train)(torch.cat(inputs), torch.cat(targets))


@cut
@pytest.mark.parametrize("fields", [{}, {"imbalance": 3.0}, {"label_noise": 1.0}])
def test_disjoint_training_sets_are_equal_pieces_of_the_one_that_seed_0_gives(name, fields):
    if "imbalance" in fields and name not in CLASSIFICATIONS:
        return
    whole, sets = raw(name, **fields), pieces(name, **fields)
    size = len(whole.train) // 4
    assert [len(parts.train) for parts in sets] == [size] * 4
    together = joined(sets)
    assert torch.equal(together.inputs, whole.train.inputs[: 4 * size])
    if name in CLASSIFICATIONS:  # of a regression, the noise is a share of the deviation of the piece's own targets
        assert torch.equal(together.targets, whole.train.targets[: 4 * size])
    for parts in sets:
        assert same(parts.validation, whole.validation) and same(parts.test, whole.test)


@cut
def test_disjoint_training_sets_are_other_data(name):
    digests = [make(name, disjoint=(number, 4), seed_data=number).digest for number in range(4)]
    assert len({*digests, make(name).digest}) == 5
    assert make(name, disjoint=(2, 4), seed_data=9).digest == digests[2]


@cut
def test_a_train_size_lies_within_the_piece(name):
    for whole, small in zip(pieces(name), pieces(name, train_size=7), strict=True):
        assert torch.equal(small.train.inputs, whole.train.inputs[:7])
    size = len(raw(name, disjoint=(0, 4)).train)
    with pytest.raises(
        ValueError, match=f"train_size: {size + 1} is not allowed; allowed: at most {size}, what each of 4"
    ):
        raw(name, disjoint=(0, 4), train_size=size + 1)


@cut
def test_more_training_sets_than_examples_are_refused(name):
    size = len(raw(name).train)
    with pytest.raises(ValueError, match=rf"replicate\.datasets: {size + 1} is not allowed; allowed: at most {size}"):
        raw(name, disjoint=(0, size + 1))


@pytest.mark.parametrize("name", [name for name in CUT if name in CLASSIFICATIONS])
def test_each_piece_spoils_its_exact_share_and_a_spoiled_example_has_the_label_that_seed_0_drew(name):
    clean, noisy, all_noisy = (pieces(name, label_noise=share) for share in (0.0, 0.4, 1.0))
    for before, after, most in zip(clean, noisy, all_noisy, strict=True):
        changed = before.train.targets != after.train.targets
        assert changed.sum() == round(0.4 * len(before.train))
        assert torch.equal(after.train.targets[changed], most.train.targets[changed])


@pytest.mark.parametrize("name", FRESH)
def test_a_generated_set_is_fresh_for_each_seed_without_being_cut(name):
    assert make(name, disjoint=(3, 8), seed_data=3).digest == make(name, seed_data=3).digest


# Augmentation


AUGMENTED = [(name, {"input_noise": 0.5}) for name in TABLES]
AUGMENTED += [(name, {"shift": 1}) for name in TABLES if issubclass(DATASETS[name], Images)]
augmented = pytest.mark.parametrize(("name", "fields"), AUGMENTED)


def epoch(name, number=0, **fields):
    loader = make(name, batch_size=20, train_size=50, **fields).train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


@augmented
def test_augmentation_changes_every_training_batch_afresh_and_nothing_else(name, fields):
    data, plain = make(name, **fields), make(name)
    if "input_noise" in fields:
        assert data.digest == plain.digest
    for part in PARTS:
        assert same(getattr(raw(name, **fields), part), getattr(raw(name), part))
    epochs = {
        "plain": epoch(name),
        "first": epoch(name, **fields),
        "again": epoch(name, **fields),
        "next": epoch(name, 1, **fields),
        "other": epoch(name, **fields, seed_order=1),
    }
    inputs = {key: torch.cat([inputs for inputs, _ in batches]) for key, batches in epochs.items()}
    assert torch.equal(inputs["first"], inputs["again"])
    for other in ("plain", "next", "other"):
        assert (inputs["first"] != inputs[other]).flatten(1).any(dim=1).float().mean() > 0.5, other
    targets = [torch.cat([targets for _, targets in epoch(name, **more)]) for more in ({}, fields)]
    assert torch.equal(*targets)
    (whole, _), (train_eval, _) = (next(iter(loader)) for loader in data.val_dataloader())
    assert torch.equal(whole, data.parts.validation.inputs) and torch.equal(train_eval, data.parts.train_eval.inputs)


@augmented
def test_a_batch_depends_on_its_epoch_and_number_alone(name, fields):
    data = make(name, batch_size=20, train_size=50, **fields)
    torch.rand(3)
    before = torch.get_rng_state()
    loader = data.train_dataloader()
    epochs = [list(loader) for _ in range(3)]
    assert torch.equal(before, torch.get_rng_state())
    for number in (2, 0, 1):
        for (inputs, targets), (expected, labels) in zip(epoch(name, number, **fields), epochs[number], strict=True):
            assert torch.equal(inputs, expected) and torch.equal(targets, labels)


@every_table
def test_the_batches_of_an_epoch_have_other_noise(name):
    (one, _), (other, _), _ = epoch(name, input_noise=0.5)
    (plain, _), (beside, _), _ = epoch(name)
    assert not torch.allclose(one - plain, other - beside, atol=0.1)


@augmented
def test_a_batch_of_everything_is_augmented_too(name, fields):
    loader = make(name, batch_size="full", **fields).train_dataloader()
    first, second = (next(iter(loader))[0] for _ in range(2))
    assert len(loader) == 1 and not torch.equal(first, second)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"train_size": 0}, "train_size: 0 is not allowed; allowed: 1 or more"),
        ({"train_size": 97}, "train_size: 97 is not allowed; allowed: at most 96"),
        ({"validation_fraction": 0.0}, "validation_fraction: 0.0 is not allowed"),
        ({"validation_fraction": float("nan")}, "validation_fraction: nan is not allowed"),
        ({"label_noise": 1.5}, "label_noise: 1.5 is not allowed; allowed: 0 to 1"),
        ({"imbalance": 0.5}, "imbalance: 0.5 is not allowed; allowed: 1 to 1000"),
        ({"imbalance": float("nan")}, "imbalance: nan is not allowed"),
        ({"imbalance": 10, "train_size": 60}, "train_size: 60 is not allowed; allowed: at most 50"),
        ({"batch_size": 0}, "batch_size: 0 is not allowed"),
        ({"input_noise": -0.1}, "input_noise: -0.1 is not allowed; allowed: 0 or more"),
        ({"input_noise": float("nan")}, "input_noise: nan is not allowed"),
        ({"batch_size": "half"}, 'batch_size: half is not allowed; allowed: 1 or more, or "full"'),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_sentence(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        assert make("iris", **fields).parts

"""Which GPUs are counted without torch, and how runs are spread over them."""

import itertools
from importlib import metadata

import pytest

from sweeps import devices
from sweeps.devices import free_place, gpus, placed, visible


@pytest.mark.parametrize(
    ("installed", "setting", "count"),
    [
        (4, None, 4), (4, "", 0), (4, "-1", 0), (4, "NoDevFiles", 0), (4, "1", 1), (4, "3, 0", 2), (4, "0,-1,2", 1),
        (4, "0,7,1", 1), (2, "GPU-8932f937,GPU-1", 2), (1, "MIG-1,MIG-2", 1), (0, "0", 0),
    ],
)  # fmt: skip
def test_the_environment_hides_gpus_as_cuda_says(installed, setting, count):
    assert visible(installed, setting) == count


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """A driver that lists two GPUs."""
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "gpus")
    monkeypatch.setattr(metadata, "version", lambda package: "2.9.0+cu128")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    gpus.cache_clear()
    yield tmp_path
    gpus.cache_clear()


def test_gpus_are_counted_where_the_driver_lists_them(driver):
    assert gpus() == 2


@pytest.mark.parametrize("hidden", ["environment", "torch", "driver"])
def test_gpus_that_cannot_be_used_are_not_counted(hidden, driver, monkeypatch):
    if hidden == "environment":
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    elif hidden == "torch":
        monkeypatch.setattr(metadata, "version", lambda package: "2.9.0+cpu")
    else:
        monkeypatch.setattr(devices, "_DRIVER", driver / "missing")
    assert gpus() == 0


@pytest.mark.parametrize(("count", "runs"), [(2, 2), (2, 5), (3, 6), (4, 3)])
def test_runs_are_spread_evenly_over_gpus(count, runs):
    taken = set()
    for _ in range(runs):
        taken.add(free_place(taken))
    trained_on = [placed({}, place, count)["trainer"]["device"] for place in taken]
    shares = [trained_on.count(f"cuda:{number}") for number in range(count)]
    assert max(shares) - min(shares) <= 1 and sum(shares) == runs


def test_a_run_takes_the_place_of_one_that_has_ended():
    for taken in itertools.combinations(range(4), 3):
        assert free_place(taken) == ({0, 1, 2, 3} - set(taken)).pop()


@pytest.mark.parametrize("device", ["auto", "cuda", None])
def test_a_device_that_is_left_open_becomes_one(device):
    trainer = {"max_epochs": 3} | ({"device": device} if device else {})
    configuration = {"model": {"name": "mlp"}, "trainer": trainer}
    assert placed(configuration, 3, 2) == {**configuration, "trainer": {"max_epochs": 3, "device": "cuda:1"}}
    assert placed(configuration, 3, 1) == placed(configuration, 3, 0) == configuration


@pytest.mark.parametrize("device", ["cpu", "cuda:0", "mps"])
def test_a_device_that_is_named_stays(device):
    configuration = {"trainer": {"device": device}}
    assert placed(configuration, 1, 2) == configuration

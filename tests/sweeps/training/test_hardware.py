"""The device and the precision of a run."""

import re

import pytest
import torch

from sweeps.training.hardware import choose_device, lightning_precision
from tracking import schema
from tracking.schema import Outcome


def machine(monkeypatch, *, cuda=0, mps=False):
    """Lets torch answer as on a machine with so many GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("wanted", "has", "devices"),
    [
        ("cuda", {}, "cpu"), ("mps", {}, "cpu"), ("cuda:0", {}, "cpu"), ("cuda:3", {"cuda": 1}, "cpu, cuda:0"),
        ("cuda:2", {"cuda": 2}, "cpu, cuda:0, cuda:1"), ("cuda", {"mps": True}, "cpu, mps"),
    ],
)  # fmt: skip
def test_a_device_that_is_missing_is_named(configuration, run, wanted, has, devices, monkeypatch):
    machine(monkeypatch, **has)
    result, _ = run(configuration(trainer={"device": wanted}))
    assert result.error == f"trainer.device: this machine has no {wanted} device that torch can use; it has: {devices}."


@pytest.mark.parametrize(
    ("wanted", "has", "taken"),
    [
        ("auto", {}, "cpu"), ("auto", {"cuda": 2}, "cuda:0"), ("auto", {"mps": True}, "mps"),
        ("cuda", {"cuda": 2}, "cuda:0"), ("cuda:1", {"cuda": 2}, "cuda:1"), ("cpu", {"cuda": 2, "mps": True}, "cpu"),
        ("mps", {"mps": True}, "mps"),
    ],
)  # fmt: skip
def test_the_device_that_is_taken(wanted, has, taken, monkeypatch):
    machine(monkeypatch, **has)
    assert choose_device(wanted) == taken


@pytest.mark.parametrize(
    ("precision", "device", "sentence"),
    [
        (64, "mps", "trainer.precision: 64 is not allowed on mps; allowed: 32, bf16-mixed."),
        ("16-mixed", "mps", "trainer.precision: 16-mixed is not allowed on mps; allowed: 32, bf16-mixed."),
        ("16-mixed", "cpu", "trainer.precision: 16-mixed is not allowed on cpu; allowed: 32, 64, bf16-mixed."),
    ],
)
def test_a_precision_that_the_device_has_not(precision, device, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        lightning_precision(precision, device)
    assert lightning_precision(precision, "cuda:1").startswith(str(precision))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_nearly_the_numbers_of_the_cpu(configuration, run, timeless, tmp_path):
    on_cpu, _ = run(configuration())
    on_cuda, log = run(configuration(trainer={"device": "cuda"}), scratch=tmp_path)
    assert timeless(on_cuda.metrics) == pytest.approx(timeless(on_cpu.metrics), rel=1e-2)
    assert all(tensor.device.type == "cpu" for tensor in log.weights().values())
    assert torch.cuda.get_device_name(0) in log.of("info")[0]["tags"][schema.MACHINE]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", [64, "bf16-mixed", "16-mixed"])
def test_precision_on_cuda(configuration, run, precision):
    result, _ = run(configuration(trainer={"device": "cuda:0", "precision": precision}))
    single, _ = run(configuration())
    assert result.outcome is Outcome.OK
    assert result.metrics["val/loss"] == pytest.approx(single.metrics["val/loss"], rel=0.05)

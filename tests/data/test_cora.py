"""Cora, a real graph that lies beside the project, and what the GCN learns of it; skipped where it is absent."""

import pickle
from pathlib import Path

import pytest
import torch

from benchmarks.thin_graph import PAPER, accuracy, cora, load

CORA = Path(__file__).resolve().parents[3] / "shared" / "data" / "cora"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not CORA.is_dir(), reason="the data files are not there"),
]


def test_cora_has_the_counts_of_its_paper():
    parts = cora(CORA)
    graph, _ = parts.train.batch(slice(None))
    assert graph.x.shape == (2708, 1433) and graph.edges.shape == (2, 2 * 5278)  # of 5,429 links, each pair once
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [140, 500, 1000]
    assert torch.bincount(parts.train.labels[parts.train.nodes]).tolist() == [20] * 7
    nodes = torch.cat([parts.train.nodes, parts.validation.nodes, parts.test.nodes])
    assert len(nodes.unique()) == 1640
    assert torch.allclose(graph.x.sum(dim=1), torch.ones(2708))


@pytest.mark.slow
def test_the_gcn_reaches_the_accuracy_of_its_paper():
    assert abs(accuracy(cora(CORA), 0) - PAPER) < 0.02


def test_a_file_that_names_something_else_is_refused(tmp_path):
    (tmp_path / "ind.cora.x").write_bytes(pickle.dumps(print))
    with pytest.raises(pickle.UnpicklingError, match="print is not allowed"):
        load(tmp_path, "x")

"""The karate club against NetworkX, and what its parts have in common."""

import warnings

import networkx
import numpy as np
import pytest
import torch

from data import DATASETS
from learning_tasks import IGNORED

SEEDS = range(20)


def club(**fields):
    return DATASETS["karate_club"](**fields)


def parts_of(data):
    return data.parts.train, data.parts.validation, data.parts.test


def test_the_friendships_are_those_of_networkx():
    graph, _ = club().parts.train.batch(slice(None))
    edges = list(map(tuple, graph.edges.T.tolist()))
    assert len(edges) == len(set(edges)) == 2 * 78 and graph.edges.dtype == torch.int64
    assert {frozenset(edge) for edge in edges} == {frozenset(edge) for edge in networkx.karate_club_graph().edges}
    assert {(other, one) for one, other in edges} == set(edges)
    assert torch.equal(graph.x, torch.eye(34)) and graph.edge_x.shape == (156, 0)
    assert torch.equal(graph.graph, torch.zeros(34).long()) and graph.sizes.tolist() == [34]


def test_the_communities_are_those_of_torch_geometric():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import uses what torch has deprecated
        datasets = pytest.importorskip("torch_geometric.datasets", reason="torch_geometric is not installed")
        reference = datasets.KarateClub()[0]
    part = club().parts.train
    assert torch.equal(part.labels, reference.y)
    assert set(map(tuple, part.graph.edges.T.tolist())) == set(map(tuple, reference.edge_index.T.tolist()))


def test_the_communities_have_almost_the_highest_modularity():
    labels = club().parts.train.labels
    communities = [set((labels == number).nonzero().flatten().tolist()) for number in range(4)]
    assert set.union(*communities) == set(range(34))
    modularity = networkx.community.modularity(networkx.karate_club_graph(), communities, weight=None)
    assert 0.415 < modularity < 0.4198  # which is the highest of all partitions (Brandes et al. 2008)


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_share_the_graph_and_no_node_that_is_asked_for(seed):
    train, validation, test = parts_of(club(seed_data=seed))
    nodes = torch.cat([part.nodes for part in (train, validation, test)])
    assert sorted(nodes.tolist()) == list(range(34))
    assert torch.equal(test.nodes, club().parts.test.nodes)
    for part in (train, validation, test):
        inputs, targets = part.batch(slice(None))
        assert all(torch.equal(one, other) for one, other in zip(inputs, train.graph, strict=True))
        asked = torch.zeros(34, dtype=torch.bool)
        asked[part.nodes] = True
        assert torch.equal(targets, torch.where(asked, part.labels, IGNORED))


@pytest.mark.parametrize("seed", SEEDS)
def test_communities_take_turns_in_training_sets_that_grow(seed):
    four, eight, whole = (club(train_size=size, seed_data=seed).parts.train for size in (4, 8, None))
    assert len(four) == 4 and len(eight) == 8 and len(whole) == 19
    assert torch.bincount(four.labels[four.nodes]).tolist() == [1, 1, 1, 1]
    assert torch.bincount(eight.labels[eight.nodes]).tolist() == [2, 2, 2, 2]
    assert torch.equal(whole.nodes[:4], four.nodes) and torch.equal(whole.nodes[:8], eight.nodes)


def test_another_seed_labels_other_nodes():
    assert len({tuple(sorted(club(train_size=4, seed_data=seed).parts.train.nodes.tolist())) for seed in SEEDS}) > 10


def test_disjoint_training_sets_share_no_node_and_the_validation_part():
    sets = [club(disjoint=(number, 3), seed_data=number).parts for number in range(3)]
    nodes = torch.cat([parts.train.nodes for parts in sets])
    assert len(set(nodes.tolist())) == len(nodes) == 18
    assert all(torch.equal(parts.validation.nodes, sets[0].validation.nodes) for parts in sets)


def test_an_epoch_asks_for_each_training_node_once():
    data = club(batch_size=4)
    batches = list(data.train_dataloader())
    asked = torch.stack([batch.targets != IGNORED for batch in batches])
    assert asked.sum(dim=1).tolist() == [4, 4, 4, 4, 3]
    expected = torch.zeros(34, dtype=torch.int64)
    expected[data.parts.train.nodes] = 1
    assert torch.equal(asked.sum(dim=0), expected)


def test_the_digest_follows_what_is_trained_on():
    digests = [club(**fields).digest for fields in ({}, {"batch_size": 4}, {"seed_data": 1}, {"train_size": 4})]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_first_nodes_and_no_node():
    part = club().parts.train
    assert torch.equal(part.first(3).nodes, part.nodes[:3]) and part.at_once == 19
    assert (part.first(0).batch(slice(None)).targets == IGNORED).all()


def test_more_nodes_than_there_are_are_refused():
    with pytest.raises(ValueError, match="train_size: 20 is not allowed; allowed: at most 19"):
        _ = club(train_size=20).parts


def test_parts_move():
    assert all(tensor.device.type == "meta" for tensor in club().to("meta").parts.train.batch(slice(None)).inputs)


def test_sorted_edges_go_to_growing_nodes():
    assert (np.diff(club().parts.train.graph.edges[1].numpy()) >= 0).all()

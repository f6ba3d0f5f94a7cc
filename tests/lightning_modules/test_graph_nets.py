"""The GCN against its matrix formula in NumPy, and against torch_geometric's layer."""

import warnings

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

from data import DATASETS
from learning_tasks.graphs import Graph
from lightning_modules import MODELS
from lightning_modules.graph_nets import GraphConvolution, propagate

EDGES = {
    "undirected": [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (0, 3), (3, 0)],
    "directed": [(0, 1), (1, 2), (3, 2), (4, 2)],
    "isolated node": [(0, 1), (1, 0)],
    "no edges": [],
    "self-loops": [(0, 0), (0, 1), (1, 0), (2, 2), (2, 2)],
    "edge twice": [(0, 1), (1, 0), (0, 1), (1, 0), (3, 2)],
}
NODES = 5


def edges_of(kind):
    return torch.tensor(EDGES[kind], dtype=torch.int64).reshape(-1, 2).T


def normalised(edges, nodes=NODES):
    """D^(-1/2)·(A + I)·D^(-1/2) as a matrix, from the definition; a self-loop of the data is the one of I."""
    matrix = np.eye(nodes)
    for source, target in edges.T.tolist():
        if source != target:
            matrix[target, source] += 1
    degrees = matrix.sum(axis=1)
    return matrix / np.sqrt(np.outer(degrees, degrees))


def layer_and_inputs():
    torch.manual_seed(0)
    layer = GraphConvolution(3, 2).double()
    torch.nn.init.normal_(layer.bias)
    return layer, torch.randn(NODES, 3, dtype=torch.float64, requires_grad=True), torch.randn(NODES, 2).double()


@pytest.mark.parametrize("kind", EDGES)
def test_a_layer_and_its_gradients_are_those_of_the_matrix_formula(kind):
    layer, x, upstream = layer_and_inputs()
    outputs = layer(x, edges_of(kind))
    (outputs * upstream).sum().backward()
    matrix, weight = normalised(edges_of(kind)), layer.linear.weight.detach().numpy()
    inputs, gradient = x.detach().numpy(), upstream.numpy()
    np.testing.assert_allclose(outputs.detach(), matrix @ inputs @ weight.T + layer.bias.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(layer.linear.weight.grad, (matrix.T @ gradient).T @ inputs, atol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, gradient.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(x.grad, matrix.T @ gradient @ weight, atol=1e-12)


@pytest.mark.parametrize("kind", EDGES)
def test_a_layer_and_its_gradients_are_those_of_torch_geometric(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import uses what torch has deprecated
        geometric = pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")
    layer, x, upstream = layer_and_inputs()
    reference = geometric.GCNConv(3, 2).double()
    with torch.no_grad():
        reference.lin.weight.copy_(layer.linear.weight)
        reference.bias.copy_(layer.bias)
    x_of_reference = x.detach().clone().requires_grad_()
    outputs, expected = layer(x, edges_of(kind)), reference(x_of_reference, edges_of(kind))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-6)
    (outputs * upstream).sum().backward()
    (expected * upstream).sum().backward()
    for ours, theirs in (
        (x, x_of_reference),
        (layer.linear.weight, reference.lin.weight),
        (layer.bias, reference.bias),
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-6)


def karate(**fields):
    data = DATASETS["karate_club"]()
    torch.manual_seed(0)
    return MODELS["gcn"](**data.dims, **fields), data.parts.train.batch(slice(None))


def test_two_layers_are_the_formula_of_the_paper():
    module, (graph, _) = karate()
    assert [tuple(layer.linear.weight.shape) for layer in module.layers] == [(16, 34), (4, 16)]
    matrix = torch.from_numpy(normalised(graph.edges, 34)).float()
    first, second = module.layers
    hidden = torch.relu(matrix @ graph.x @ first.linear.weight.T + first.bias)
    torch.testing.assert_close(module(graph), matrix @ hidden @ second.linear.weight.T + second.bias)


def test_other_numbers_of_the_nodes_change_nothing():
    module, (graph, _) = karate(hidden_sizes=[8, 8])
    order = torch.randperm(34, generator=torch.Generator().manual_seed(1))
    place = order.argsort()
    renumbered = graph._replace(x=graph.x[order], edges=place[graph.edges])
    torch.testing.assert_close(module(renumbered), module(graph)[order])


def test_joined_graphs_know_nothing_of_each_other():
    torch.manual_seed(0)
    layer = GraphConvolution(3, 2)
    x, edges = torch.randn(2 * NODES, 3), edges_of("undirected")
    joined = layer(x, torch.cat([edges, edges + NODES], dim=1))
    torch.testing.assert_close(joined, torch.cat([layer(x[:NODES], edges), layer(x[NODES:], edges)]))


def test_copies_trained_as_one_are_a_loop_over_them():
    modules = [karate(hidden_sizes=[8])[0] for _ in range(3)]
    for number, module in enumerate(modules):
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.1 * (number + 1))
    graph, targets = karate()[1]
    parameters, buffers = stack_module_state(modules)

    def loss(parameters, buffers):
        return modules[0].task.loss(functional_call(modules[0], (parameters, buffers), (graph,)), targets)

    losses, gradients = vmap(loss)(parameters, buffers), vmap(grad(loss))(parameters, buffers)
    for number, module in enumerate(modules):
        value = module.loss((graph, targets))
        torch.testing.assert_close(losses[number], value)
        value.backward()
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(gradients[name][number], parameter.grad)


def test_dropout_is_on_the_inputs_of_every_layer():
    module, (graph, _) = karate(dropout=0.5)
    masks = {f"dropouts.{number}.mask": torch.zeros(34, size) for number, size in enumerate((34, 16))}
    with torch.no_grad():
        module.layers[0].bias.fill_(1.0)
        for name, mask in masks.items():
            other = next(key for key in masks if key != name)
            outputs = functional_call(module, {name: mask, other: torch.ones_like(masks[other])}, (graph,))
            hidden = torch.zeros(34, 16) if name == "dropouts.1.mask" else torch.ones(34, 16)
            torch.testing.assert_close(outputs, propagate(module.layers[1].linear(hidden), graph.edges))


def test_the_graph_of_a_module_is_any_graph():
    module, _ = karate()
    x = torch.randn(3, 34)
    none = torch.zeros(2, 0, dtype=torch.int64)
    graph = Graph(x, none, torch.zeros(0, 0), torch.zeros(3, dtype=torch.int64), torch.tensor([3]))
    assert module(graph).shape == (3, 4)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"hidden_sizes": [16, 0]}, r"hidden_sizes: \[16, 0\] is not allowed; allowed: a list of sizes of 1 or more"),
        ({"dropout": 1.0}, "dropout: 1.0 is not allowed; allowed: 0 to 1, without 1"),
    ],
)
def test_values_are_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        karate(**fields)

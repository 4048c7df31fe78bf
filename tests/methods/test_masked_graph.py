from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.masked import Graph, graph_mae  # noqa: E402
from peerscope.methods.masked.graph import (  # noqa: E402
    GraphAttention,
    GraphConvolution,
    GraphDecoder,
    edge_softmax,
)
from peerscope.methods.masked.units import Nodes, Units  # noqa: E402


def seeded(seed: int = 0):
    return torch.Generator().manual_seed(seed)


def some_graph(number: int = 12, features: int = 5, dtype=torch.float64):
    rows = torch.randn(number, features, generator=seeded(1), dtype=dtype)
    edges = torch.randint(number, (2, 3 * number), generator=seeded(2))
    return Graph.undirected(rows, edges)


def adjacency(graph: Graph) -> np.ndarray:
    """Row: target, column: source."""
    found = np.zeros((len(graph.features),) * 2)
    for source, target in graph.edges.T.tolist():
        found[target, source] += 1
    return found


def test_an_undirected_graph_has_each_edge_both_ways_once_and_loops() -> None:
    graph = Graph.undirected(torch.zeros(4, 1), torch.tensor([[0, 1, 0, 2], [1, 0, 1, 2]]))
    found = adjacency(graph)
    assert found.max() == 1
    assert (found == found.T).all()
    assert (np.diag(found) == 1).all()
    assert found.sum() == 4 + 2
    bare = Graph.undirected(torch.zeros(4, 1), torch.tensor([[0], [1]]), loops=False)
    assert adjacency(bare).sum() == 2
    for edges, message in [
        (torch.zeros(3, 2).long(), "shape"),
        (torch.tensor([[0], [4]]), "outside"),
    ]:
        with pytest.raises(ValueError, match=message):
            Graph.undirected(torch.zeros(4, 1), edges)


def test_a_convolution_is_the_normalised_adjacency_as_a_dense_matrix() -> None:
    graph = some_graph()
    layer = GraphConvolution(5, 3).double()
    matrix = adjacency(graph)
    degree = matrix.sum(axis=1)
    normal = matrix / np.sqrt(degree[:, None] * degree[None, :])
    expected = normal @ graph.features.numpy() @ layer.linear.weight.detach().numpy().T
    found = layer(graph.features, graph.edges).detach().numpy()
    assert found == pytest.approx(expected, abs=1e-7)


def test_attention_is_a_softmax_over_neighbours_head_by_head() -> None:
    graph = some_graph()
    layer = GraphAttention(5, 6, 2).double()
    with torch.no_grad():
        layer.bias.copy_(torch.randn(6))
    rows = layer.linear(graph.features).detach().numpy().reshape(12, 2, 3)
    source, target = (part.detach().numpy() for part in (layer.of_source, layer.of_target))
    matrix = adjacency(graph)
    expected = np.zeros((12, 2, 3))
    for node in range(12):
        for head in range(2):
            near = np.flatnonzero(matrix[node])
            scores = [rows[n, head] @ source[head] + rows[node, head] @ target[head] for n in near]
            scores = np.array([s if s > 0 else 0.2 * s for s in scores])
            weights = np.exp(scores) / np.exp(scores).sum()
            expected[node, head] = weights @ rows[near, head]
    found = layer(graph.features, graph.edges).detach().numpy()
    assert found == pytest.approx(expected.reshape(12, 6) + layer.bias.detach().numpy(), abs=1e-10)
    assert torch.autograd.gradcheck(
        lambda x: layer(x, graph.edges), (graph.features.requires_grad_(),)
    )


def test_scores_far_apart_and_nodes_alone_stay_numbers() -> None:
    scores = torch.tensor([[900.0], [-900.0], [3.0]])
    found = edge_softmax(scores, torch.tensor([0, 0, 2]), 3)
    assert found[:, 0].tolist() == [1.0, 0.0, 1.0]
    alone = GraphAttention(2, 2, 1)(torch.randn(3, 2), torch.tensor([[0], [1]]))
    assert torch.isfinite(alone).all()
    assert (alone[0] == 0).all()
    with pytest.raises(ValueError, match="do not divide"):
        GraphAttention(2, 5, 2)


def test_hidden_nodes_are_predicted_from_their_neighbours_alone() -> None:
    graph = some_graph()
    units = Nodes().split(graph)
    decoder = GraphDecoder(4, 5).double()
    mask = torch.zeros(1, 12, dtype=torch.bool)
    mask[0, 3] = True
    codes = torch.randn(1, 12, 4, dtype=torch.float64)
    moved = codes.clone()
    moved[0, 3] += 5
    assert torch.equal(decoder(codes, units, mask, None), decoder(moved, units, mask, None))
    open_decoder = GraphDecoder(4, 5, remask=False).double()
    gap = open_decoder(codes, units, mask, None) - open_decoder(moved, units, mask, None)
    assert gap[0, 3].abs().max() > 1e-6
    with pytest.raises(ValueError, match="with edges"):
        decoder(codes, Units(codes, (12,)), mask, None)


def test_the_loss_is_the_scaled_cosine_error_of_hidden_nodes() -> None:
    torch.manual_seed(0)
    graph = some_graph(20)
    method = graph_mae(5, dim=8, depth=2, heads=2, alpha=3.0).double()
    mask = torch.zeros(1, 20, dtype=torch.bool)
    mask[0, [1, 4, 7, 19]] = True
    loss, parts = method(graph, mask=mask, generator=seeded())
    made = method.reconstruct(graph, mask=mask, generator=seeded())
    total = []
    for node in (1, 4, 7, 19):
        x, y = graph.features[node].numpy(), made.predicted[node].numpy()
        total.append((1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)) ** 3)
    assert float(loss.detach()) == pytest.approx(np.mean(total), rel=1e-9)
    assert float(parts["hidden"]) == pytest.approx(0.2)
    assert torch.equal(made.filled[~mask[0]], graph.features[~mask[0]])


def test_half_of_the_nodes_is_hidden_rounded_down() -> None:
    graph = some_graph(13)
    method = graph_mae(5, dim=8).double()
    assert int(method.reconstruct(graph, generator=seeded()).mask.sum()) == 6


def groups_of_nodes():
    """A stochastic block model of three groups, whose features are noise with a trace of the group."""
    generator = np.random.default_rng(0)
    group = np.arange(120) % 3
    likely = np.where(group[:, None] == group[None, :], 0.15, 0.03)
    linked = np.triu(generator.random((120, 120)) < likely, 1)
    traces = np.eye(3)[group] @ generator.normal(size=(3, 16)) * 0.5
    rows = torch.tensor(traces + generator.normal(size=(120, 16)), dtype=torch.float32)
    return Graph.undirected(rows, torch.tensor(np.array(np.nonzero(linked)))), torch.tensor(group)


def agreement(codes, group) -> float:
    """How often the nearest other node is of the same group."""
    unit = torch.nn.functional.normalize(codes - codes.mean(dim=0), dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-math.inf)
    return float((group[cosines.argmax(dim=1)] == group).float().mean())


@pytest.mark.parametrize("kind", ["attention", "convolution"])
def test_training_makes_nodes_of_a_group_nearer(kind) -> None:
    graph, group = groups_of_nodes()
    torch.manual_seed(0)
    method = graph_mae(16, dim=16, heads=2, kind=kind)
    with torch.no_grad():
        before = max(agreement(graph.features, group), agreement(method.encode(graph), group))
    optimizer = torch.optim.Adam(method.parameters(), 5e-3)
    course = []
    for step in range(100):
        loss, _ = method(graph, generator=seeded(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(float(loss.detach()))
    assert np.mean(course[-10:]) < 0.6 * np.mean(course[:5])
    with torch.no_grad():
        assert agreement(method.encode(graph), group) > before

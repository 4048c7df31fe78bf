"""Graph layers in plain PyTorch, and the encoder and decoder of GraphMAE.

A layer sums over edges with ``index_add``: it runs where PyTorch runs, needs no graph library, and takes
memory in proportion to the edges. Convolution: Kipf and Welling 2017, equation 2. Attention: Velickovic et
al. 2018, equations 1 to 5, with the score split into a part of the source and a part of the target.
GraphMAE: Hou et al. 2022 and its published code.

Nothing here knows what nodes stand for. A platform that suggests topics or collaborators builds a `Graph`
of its works, people and topics, trains `presets.graph_mae` on it and compares codes of `encode`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.masked.towers import Decoder, Encoder
from peerscope.methods.masked.units import Units

Kind = Literal["attention", "convolution"]


class GraphConvolution(nn.Module):
    """``D^(-1/2) A D^(-1/2) X W + b``; the edges hold each node's loop to itself where it is wanted.

    Args:
        inputs: Length of a node's features.
        outputs: Length of its codes.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Shape ``[V, inputs]`` to ``[V, outputs]``.

        Args:
            nodes: Features.
            edges: From node to node, int64, shape ``[2, E]``.
        """
        source, target = edges
        ones = torch.ones_like(source, dtype=torch.float32)
        degree = ones.new_zeros(len(nodes)).index_add_(0, target, ones).clamp(min=1)
        weight = (degree[source] * degree[target]).rsqrt()
        found: Tensor = self.linear(nodes)
        messages = found[source] * weight[:, None].to(found.dtype)
        return torch.zeros_like(found).index_add(0, target, messages) + self.bias.to(found.dtype)


class GraphAttention(nn.Module):
    """Each node takes the mean of its sources, weighted by a softmax of learned scores; heads side by side.

    Args:
        inputs: Length of a node's features.
        outputs: Length of its codes; the heads share it.
        heads: Number of heads; divides ``outputs``.
        dropout: Share of the features and of the weights that training drops.
        slope: Of the leaky rectifier below 0.

    Raises:
        ValueError: The heads do not divide the outputs.
    """

    def __init__(
        self, inputs: int, outputs: int, heads: int, dropout: float = 0.0, slope: float = 0.2
    ) -> None:
        super().__init__()
        if heads < 1 or outputs % heads:
            raise ValueError(f"{heads} heads do not divide {outputs} outputs.")
        self.heads, self.dropout, self.slope = heads, dropout, slope
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.of_source = nn.Parameter(torch.empty(heads, outputs // heads))
        self.of_target = nn.Parameter(torch.empty(heads, outputs // heads))
        self.bias = nn.Parameter(torch.zeros(outputs))
        for part in (self.linear.weight, self.of_source, self.of_target):
            nn.init.xavier_normal_(part, gain=nn.init.calculate_gain("relu"))

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Shape ``[V, inputs]`` to ``[V, outputs]``; a node without sources gets the bias alone.

        Args:
            nodes: Features.
            edges: From node to node, int64, shape ``[2, E]``.
        """
        source, target = edges
        nodes = functional.dropout(nodes, self.dropout, self.training)
        found = self.linear(nodes).unflatten(-1, (self.heads, -1))
        scores = (found * self.of_source.to(found.dtype)).sum(-1)[source]
        scores = scores + (found * self.of_target.to(found.dtype)).sum(-1)[target]
        weights = edge_softmax(functional.leaky_relu(scores, self.slope), target, len(nodes))
        weights = functional.dropout(weights, self.dropout, self.training)
        messages = found[source] * weights[:, :, None].to(found.dtype)
        summed = torch.zeros_like(found).index_add(0, target, messages)
        return summed.flatten(1) + self.bias.to(found.dtype)


def edge_softmax(scores: Tensor, target: Tensor, number: int) -> Tensor:
    """Softmax over the edges that lead to the same node, in single precision at least.

    Args:
        scores: Shape ``[E, heads]``.
        target: Node that each edge leads to, int64, shape ``[E]``.
        number: Nodes.
    """
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    index = target[:, None].expand_as(scores)
    top = scores.new_full((number, scores.shape[1]), float("-inf"))
    top = top.scatter_reduce(0, index, scores.detach(), "amax")
    raised = (scores - top[target]).exp()
    totals = torch.zeros_like(top).index_add(0, target, raised)
    return raised / totals[target]


def graph_layer(kind: Kind, inputs: int, outputs: int, heads: int, dropout: float) -> nn.Module:
    """A layer of the kind; a convolution has neither heads nor dropout."""
    if kind == "convolution":
        return GraphConvolution(inputs, outputs)
    return GraphAttention(inputs, outputs, heads, dropout)


class GraphEncoder(Encoder):
    """Layers with a parametric rectifier after each.

    Args:
        features: Length of a node's features.
        dim: Length of its codes.
        depth: Number of layers.
        kind: ``attention`` as in the published settings for citation graphs, or ``convolution``.
        heads: Of attention.
        dropout: Of attention.
    """

    def __init__(
        self,
        features: int,
        dim: int,
        depth: int,
        *,
        kind: Kind = "attention",
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim, self.prefix = dim, 0
        widths = [features] + [dim] * depth
        self.blocks = nn.ModuleList(
            graph_layer(kind, widths[n], widths[n + 1], heads, dropout) for n in range(depth)
        )
        self.rectifiers = nn.ModuleList(nn.PReLU() for _ in range(depth))

    def embed(self, units: Units, values: Tensor) -> Tensor:
        """See `Encoder`: features enter as they are."""
        return values

    def forward(self, tokens: Tensor, units: Units, kept: Tensor | None = None) -> Tensor:
        """See `Encoder`; all nodes enter."""
        return self.layers(tokens, units)[-1]

    def layers(self, tokens: Tensor, units: Units) -> list[Tensor]:
        """See `Encoder`: what each layer gives after its rectifier."""
        found, nodes = [], tokens[0]
        for layer, rectifier in zip(self.blocks, self.rectifiers, strict=True):
            nodes = rectifier(layer(nodes, _edges(units)))
            found.append(nodes[None])
        return found


class GraphDecoder(Decoder):
    """GraphMAE's: a linear map, hidden nodes set to zero once more, one graph layer.

    Zeroing again makes the layer predict a hidden node from its neighbours alone, not from what the encoder
    has already gathered for it.

    Args:
        dim: Width of the encoder's codes.
        features: Length of a node's features.
        kind: See `GraphEncoder`.
        dropout: Of attention.
        remask: Whether hidden nodes are zeroed again.
    """

    def __init__(
        self,
        dim: int,
        features: int,
        *,
        kind: Kind = "attention",
        dropout: float = 0.0,
        remask: bool = True,
    ) -> None:
        super().__init__()
        self.remask = remask
        self.enter = nn.Linear(dim, dim, bias=False)
        self.layer = graph_layer(kind, dim, features, 1, dropout)

    def forward(self, codes: Tensor, units: Units, mask: Tensor, kept: Tensor | None) -> Tensor:
        """See `Decoder`."""
        nodes = self.enter(codes[0])
        if self.remask:
            nodes = nodes.masked_fill(mask[0][:, None], 0.0)
        found: Tensor = self.layer(nodes, _edges(units))
        return found[None]


def _edges(units: Units) -> Tensor:
    if units.edges is None:
        raise ValueError("A graph layer needs a batch of the form `Graph`, with edges.")
    return units.edges

"""Masked autoencoders: one interface of six choices, with the published methods as presets.

Corruption (`corruptions`), mask and ratio (`maskers`), what enters the encoder, decoder (`towers`,
`graph`), target (`targets`, `teachers`) and distance (`distances`) make a `MaskedAutoencoder`; `presets`
has MAE, SimMIM, the denoising autoencoder, BEiT, MaskFeat, data2vec, iBOT's masked half, BERT's masked
words and GraphMAE. See docs/methods/masked-autoencoders.md.
"""

from peerscope.methods.masked.autoencoder import Backbone, MaskedAutoencoder, Reconstruction
from peerscope.methods.masked.presets import (
    beit,
    data2vec,
    denoising,
    graph_mae,
    ibot,
    mae,
    mask_feat,
    masked_words,
    simmim,
)
from peerscope.methods.masked.units import Graph

__all__ = [
    "Backbone",
    "Graph",
    "MaskedAutoencoder",
    "Reconstruction",
    "beit",
    "data2vec",
    "denoising",
    "graph_mae",
    "ibot",
    "mae",
    "mask_feat",
    "masked_words",
    "simmim",
]

"""The published combinations of the six choices; every part can be exchanged by name.

Sizes default to what trains on a processor with images of 28 or 32 pixels; the papers' own are far larger.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from peerscope.methods.masked.autoencoder import MaskedAutoencoder
from peerscope.methods.masked.corruptions import (
    Corruption,
    GaussianNoise,
    LeaveOut,
    MaskToken,
    OtherNodes,
    OtherWords,
)
from peerscope.methods.masked.distances import (
    AbsoluteError,
    CrossEntropy,
    Distance,
    ScaledCosineError,
    SmoothAbsoluteError,
    SoftCrossEntropy,
    SquaredError,
)
from peerscope.methods.masked.graph import GraphDecoder, GraphEncoder, Kind
from peerscope.methods.masked.maskers import BlockMasker, EveryUnit, RandomMasker
from peerscope.methods.masked.masking import Masker
from peerscope.methods.masked.targets import (
    CodebookTokens,
    NormalizedPixels,
    OrientedGradients,
    Target,
    target_width,
)
from peerscope.methods.masked.teachers import ClassTeacher, FeatureTeacher
from peerscope.methods.masked.towers import (
    LinearDecoder,
    TransformerDecoder,
    TransformerEncoder,
    WordDecoder,
    patch_encoder,
)
from peerscope.methods.masked.units import Nodes, Patches, Words


def mae(
    patch: int | Sequence[int] = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    decoder_dim: int = 64,
    decoder_depth: int = 1,
    decoder_heads: int = 4,
    masker: Masker | None = None,
    target: Target | None = None,
    axes: int = 2,
) -> MaskedAutoencoder:
    """MAE (He et al. 2022): 75% hidden at random and left out, a small decoder, normalised pixels.

    The paper's ViT-B is ``patch=16, dim=768, depth=12, heads=12`` with a decoder of 512, 8 and 16. With
    ``axes=3, patch=(2, 16, 16), masker=TubeMasker()`` it is VideoMAE.

    Args:
        patch: Side of a patch, or one per axis.
        channels: Of the images.
        dim: Encoder's width.
        depth: Encoder's blocks.
        heads: Encoder's heads.
        decoder_dim: Decoder's width.
        decoder_depth: Decoder's blocks.
        decoder_heads: Decoder's heads.
        masker: 75% at random if ``None``; must hide the same number in each image.
        target: `NormalizedPixels` if ``None``; ``Target()`` for plain pixels.
        axes: Of the images.
    """
    target = target or NormalizedPixels()
    out = target_width(target, patch, channels, axes)
    encoder = patch_encoder(patch, channels, dim, depth, heads, axes=axes)
    return MaskedAutoencoder(
        Patches(patch),
        masker=masker or RandomMasker(0.75, rounding="keep"),
        corruption=LeaveOut(),
        entering="visible",
        encoder=encoder,
        decoder=TransformerDecoder(dim, decoder_dim, decoder_depth, decoder_heads, out),
        target=target,
        distance=SquaredError(),
    )


def simmim(
    patch: int = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    masker: Masker | None = None,
    target: Target | None = None,
    distance: Distance | None = None,
) -> MaskedAutoencoder:
    """SimMIM (Xie et al. 2022): 60% of squares hidden by a token, all enter, a linear head, absolute error.

    The paper's encoders have learned relative positions or windows; this one has fixed positions.

    Args:
        patch: Side of a patch.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        masker: 60% of squares of 2 by 2 patches if ``None`` (32 pixels at patches of 16).
        target: Plain pixels if ``None``.
        distance: `AbsoluteError` if ``None``.
    """
    target = target or Target()
    encoder = patch_encoder(patch, channels, dim, depth, heads)
    return MaskedAutoencoder(
        Patches(patch),
        masker=masker or RandomMasker(0.6, unit=2, rounding="up"),
        corruption=MaskToken(dim),
        entering="all",
        encoder=encoder,
        decoder=LinearDecoder(dim, target_width(target, patch, channels), encoder.prefix),
        target=target,
        distance=distance or AbsoluteError(channels),
    )


def denoising(
    patch: int = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    noise: Corruption | None = None,
    target: Target | None = None,
) -> MaskedAutoencoder:
    """Denoising autoencoder (Vincent et al. 2008): noise on all units, squared error of all.

    The paper's encoders are perceptrons on whole images; this one is a transformer of patches.

    Args:
        patch: Side of a patch.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        noise: Normal noise of 0.5 if ``None``; or `ZeroNoise`, `SaltAndPepper`.
        target: Plain pixels if ``None``.
    """
    encoder = patch_encoder(patch, channels, dim, depth, heads)
    return MaskedAutoencoder(
        Patches(patch),
        masker=EveryUnit(),
        corruption=noise or GaussianNoise(0.5),
        entering="all",
        encoder=encoder,
        decoder=LinearDecoder(dim, patch**2 * channels, encoder.prefix),
        target=target or Target(),
        distance=SquaredError("all"),
    )


def beit(
    codebook: CodebookTokens,
    patch: int = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    masker: Masker | None = None,
) -> MaskedAutoencoder:
    """BEiT (Bao et al. 2022) with a codebook by k-means: hidden blocks, cross-entropy of their tokens.

    Args:
        codebook: Of patches, in place of the paper's discrete variational autoencoder.
        patch: Side of a patch.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        masker: `BlockMasker` if ``None``.
    """
    encoder = patch_encoder(patch, channels, dim, depth, heads)
    return MaskedAutoencoder(
        Patches(patch),
        masker=masker or BlockMasker(),
        corruption=MaskToken(dim),
        entering="all",
        encoder=encoder,
        decoder=LinearDecoder(dim, len(codebook.centres), encoder.prefix),
        target=codebook,
        distance=CrossEntropy(),
    )


def mask_feat(
    patch: int = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    cell: int | None = None,
    masker: Masker | None = None,
) -> MaskedAutoencoder:
    """MaskFeat (Wei et al. 2022): blocks hidden by a token, squared error of histograms of gradients.

    Args:
        patch: Side of a patch.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        cell: See `OrientedGradients`.
        masker: `BlockMasker` of 40% if ``None``.
    """
    target = OrientedGradients(patch, cell=cell)
    encoder = patch_encoder(patch, channels, dim, depth, heads)
    return MaskedAutoencoder(
        Patches(patch),
        masker=masker or BlockMasker(0.4),
        corruption=MaskToken(dim),
        entering="all",
        encoder=encoder,
        decoder=LinearDecoder(dim, target.width(channels), encoder.prefix),
        target=target,
        distance=SquaredError(),
    )


def data2vec(
    patch: int = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    top: int = 6,
    decay: tuple[float, float] = (0.999, 0.9999),
    masker: Masker | None = None,
) -> MaskedAutoencoder:
    """data2vec (Baevski et al. 2022) on images: blocks hidden by a token, features of a moving average.

    Args:
        patch: Side of a patch.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        top: Blocks whose outputs make the target.
        decay: Of the moving average, at start and end.
        masker: `BlockMasker` of 60% if ``None`` (from memory).
    """
    encoder = patch_encoder(patch, channels, dim, depth, heads)
    return MaskedAutoencoder(
        Patches(patch),
        masker=masker or BlockMasker(0.6),
        corruption=MaskToken(dim),
        entering="all",
        encoder=encoder,
        decoder=LinearDecoder(dim, dim, encoder.prefix),
        target=FeatureTeacher(encoder, top=top, decay=decay),
        distance=SmoothAbsoluteError(2.0),
    )


def ibot(
    patch: int = 4,
    channels: int = 3,
    *,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    classes: int = 256,
    decay: tuple[float, float] = (0.996, 1.0),
    masker: Masker | None = None,
) -> MaskedAutoencoder:
    """The masked half of iBOT (Zhou et al. 2022): classes of patches by a moving average, a centred softmax.

    Args:
        patch: Side of a patch.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        classes: 8192 in the paper, behind a perceptron; here behind a linear map.
        decay: Of the moving average, at start and end.
        masker: Blocks of 10% to 50% on half of the images if ``None``.
    """
    encoder = patch_encoder(patch, channels, dim, depth, heads)
    decoder = LinearDecoder(dim, classes, encoder.prefix)
    return MaskedAutoencoder(
        Patches(patch),
        masker=masker or BlockMasker(0.3, spread=0.2, share=0.5),
        corruption=MaskToken(dim),
        entering="all",
        encoder=encoder,
        decoder=decoder,
        target=ClassTeacher(encoder, decoder, classes, decay=decay),
        distance=SoftCrossEntropy(),
    )


def masked_words(
    vocabulary: int,
    mask_word: int,
    *,
    padding: int | None = None,
    special: Sequence[int] = (),
    longest: int = 128,
    dim: int = 96,
    depth: int = 4,
    heads: int = 4,
    dropout: float = 0.0,
    masker: Masker | None = None,
) -> MaskedAutoencoder:
    """BERT's masked words (Devlin et al. 2019; shares from memory): 15% hidden, 80/10/10, cross-entropy.

    The paper's blocks normalise after each part, these before.

    Args:
        vocabulary: Number of words, special ones included.
        mask_word: Number of the mask word.
        padding: Number that stands for no word.
        special: Words that are never hidden nor put in at random.
        longest: Number of learned positions.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        dropout: Of each block.
        masker: 15% at random if ``None``; or `SpanMasker`.
    """
    apart = tuple(special) if padding is None else (*special, padding)
    words = nn.Embedding(vocabulary, dim)
    encoder = TransformerEncoder(
        words, dim, depth, heads, positions=longest, summary=False, dropout=dropout
    )
    return MaskedAutoencoder(
        Words(padding, tuple(special)),
        masker=masker or RandomMasker(0.15, rounding="nearest"),
        corruption=OtherWords(mask_word, vocabulary, special=apart),
        entering="all",
        encoder=encoder,
        decoder=WordDecoder(words),
        target=Target(),
        distance=CrossEntropy(),
    )


def graph_mae(
    features: int,
    *,
    dim: int = 64,
    depth: int = 2,
    heads: int = 4,
    kind: Kind = "attention",
    ratio: float = 0.5,
    replace: float = 0.05,
    alpha: float = 3.0,
    dropout: float = 0.0,
    masker: Masker | None = None,
) -> MaskedAutoencoder:
    """GraphMAE (Hou et al. 2022): node features hidden by a token, zeroed again, scaled cosine error.

    The published settings for Cora are ``dim=512, depth=2, heads=4, dropout`` 0.2 and 0.1.

    Args:
        features: Length of a node's features.
        dim: Length of its codes.
        depth: Number of layers.
        heads: Of attention.
        kind: ``attention`` or ``convolution``.
        ratio: Share of hidden nodes.
        replace: Share of the hidden nodes that take another node's features.
        alpha: Exponent of the error.
        dropout: Of attention.
        masker: ``ratio`` at random if ``None``.
    """
    return MaskedAutoencoder(
        Nodes(),
        masker=masker or RandomMasker(ratio, rounding="down"),
        corruption=OtherNodes(features, replace),
        entering="all",
        encoder=GraphEncoder(features, dim, depth, kind=kind, heads=heads, dropout=dropout),
        decoder=GraphDecoder(dim, features, kind=kind, dropout=dropout),
        target=Target(),
        distance=ScaledCosineError(alpha),
    )

"""Image sets that are on this machine already: read, checked, never downloaded."""

from peerscope.methods.datasets.files import DamagedData, MissingData
from peerscope.methods.datasets.images import ImageSet, cifar10, fashion_mnist, grocery, omniglot

__all__ = [
    "DamagedData", "ImageSet", "MissingData", "cifar10", "fashion_mnist", "grocery", "omniglot",
]  # fmt: skip

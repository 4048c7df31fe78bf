"""Published settings of `frameworks.Framework`, and the controls between them.

| preset | target | negatives | directions | gradient | loss |
| --- | --- | --- | --- | --- | --- |
| `moco_v2` | momentum | queue | one | queries | InfoNCE |
| `simmoco` | momentum | batch | one | queries | dual temperature |
| `simco` | online | batch | two | queries and keys | dual temperature |
| `simclr` | online | batch and same view | two | queries and keys | InfoNCE |
| `byol_like` | momentum | none | two | queries | negative cosine after a predictor |
| `symmetric_info_nce` | online | batch | two | queries and keys | InfoNCE: `simco` at equal temperatures |
| `scale_matched` | online | batch | two | queries and keys | InfoNCE with dual temperature's mean weight |
| `decoupled` | online | batch | two | queries and keys | dual temperature's limit |
| `stop_gradient` | online | batch | two | queries | InfoNCE: momentum without the average |
| `simclr_momentum` | momentum, by mask | batch | two | queries | InfoNCE |

Every function takes an encoder that has ``dim``, or a ``projector`` that gives vectors of length ``width``.
Temperatures, rates and the projector (two layers of 128, no norm) are those of the official scripts for
CIFAR-100 where a method has them.
"""

from __future__ import annotations

from torch import nn

from peerscope.methods.contrastive import Decoupled, DualTemperature, InfoNCE, ScaleMatched
from peerscope.methods.frameworks import Framework, Queue
from peerscope.methods.mlp import mlp
from peerscope.methods.momentum import Ema
from peerscope.methods.siamese import NegativeCosine


def moco_v2(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.1,
    momentum: float = 0.99,
    queue: int = 65_536,
) -> Framework:
    """MoCo v2 (Chen et al. 2020), the baseline of Zhang et al. 2022; ``queue`` 0 takes the batch instead."""
    return Framework(
        encoder,
        InfoNCE(temperature, in_batch=not queue),
        projector=_projected(encoder, projector, width),
        momentum=Ema("full", momentum),
        queue=Queue(queue, width) if queue else None,
        symmetric=False,
    )


def simmoco(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.1,
    outer_temperature: float = 1.0,
    momentum: float = 0.99,
    symmetric: bool = False,
) -> Framework:
    """SimMoCo (Zhang et al. 2022): MoCo v2 with dual temperature in place of the queue.

    ``symmetric`` is the official code's plus version.
    """
    return Framework(
        encoder,
        DualTemperature(temperature, outer_temperature),
        projector=_projected(encoder, projector, width),
        momentum=Ema("full", momentum),
        symmetric=symmetric,
    )


def simco(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.1,
    outer_temperature: float = 1.0,
) -> Framework:
    """SimCo (Zhang et al. 2022): neither queue nor momentum; both directions, gradient to both views."""
    loss = DualTemperature(temperature, outer_temperature)
    return Framework(encoder, loss, projector=_projected(encoder, projector, width))


def symmetric_info_nce(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.1,
) -> Framework:
    """The first control of `simco`: the same but for the loss, `simco` at equal temperatures."""
    return Framework(encoder, InfoNCE(temperature), projector=_projected(encoder, projector, width))


def scale_matched(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.1,
    outer_temperature: float = 1.0,
) -> Framework:
    """The second control of `simco`: InfoNCE whose mean weight is dual temperature's (`ScaleMatched`)."""
    loss = ScaleMatched(temperature, outer_temperature)
    return Framework(encoder, loss, projector=_projected(encoder, projector, width))


def decoupled(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.1,
) -> Framework:
    """Decoupled contrast (Yeh et al. 2022): all anchors weigh the same, as at a large outer temperature."""
    return Framework(
        encoder, Decoupled(temperature), projector=_projected(encoder, projector, width)
    )


def simclr(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.2,
) -> Framework:
    """SimCLR (Chen et al. 2020): negatives of both views, gradient to all."""
    loss = InfoNCE(temperature, same_view=True)
    return Framework(encoder, loss, projector=_projected(encoder, projector, width))


def simclr_momentum(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.2,
    ema: Ema | None = None,
) -> Framework:
    """SimCLR with a momentum target (Pham et al. 2022), averaged by the mask of ``ema``."""
    return Framework(
        encoder,
        InfoNCE(temperature),
        projector=_projected(encoder, projector, width),
        momentum=Ema() if ema is None else ema,
    )


def stop_gradient(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    width: int = 128,
    temperature: float = 0.2,
) -> Framework:
    """The control of `simclr_momentum`: keys without a gradient, but of the online weights."""
    return Framework(
        encoder,
        InfoNCE(temperature),
        projector=_projected(encoder, projector, width),
        detached_keys=True,
    )


def byol_like(
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    predictor: nn.Module | None = None,
    width: int = 256,
    ema: Ema | None = None,
) -> Framework:
    """BYOL's scheme (Grill et al. 2020): a predictor, a momentum target, no negatives.

    "Like": the loss is the negative cosine averaged over directions (BYOL's is 4 times that plus a constant),
    the heads are this module's defaults, and the rate runs from 0.99 to 1 along half a cosine.
    """
    return Framework(
        encoder,
        NegativeCosine(),
        projector=_projected(encoder, projector, width),
        predictor=mlp((width, max(width // 4, 1), width)) if predictor is None else predictor,
        momentum=Ema("full", 0.99, 1.0) if ema is None else ema,
    )


def _projected(encoder: nn.Module, projector: nn.Module | None, width: int) -> nn.Module:
    if projector is not None:
        return projector
    dim = getattr(encoder, "dim", None)
    if not isinstance(dim, int):
        raise ValueError("The encoder has no dim: give a projector, nn.Identity() for none.")
    return mlp((dim, 128, width), norm=None)

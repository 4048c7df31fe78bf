"""Self-supervised losses beside lightly's: the same values and gradients, and how long a call takes.

    python -m venv peers && peers/bin/pip install --no-deps lightly lightly-utils torchvision==0.28.0 \\
        Pillow tqdm lightning-utilities
    PYTHONPATH=src peers/bin/python benchmarks/methods_peers_ssl.py    # with this project's torch and numpy

What lightly does not have is compared with a second writing of it here: the quotient form of dual temperature
as the official code has it. `torchvision` has no build without CUDA for this torch, so that one of its
registrations is skipped before it is imported.
"""

from __future__ import annotations

import copy
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.branch import Branch
from peerscope.methods.collapse import collapse_report
from peerscope.methods.contrastive import Decoupled, DualTemperature, InfoNCE
from peerscope.methods.gradient_parts import decorrelation
from peerscope.methods.momentum import Ema, Momentum
from peerscope.methods.siamese import negative_cosine

Loss = Callable[[Tensor, Tensor], Tensor]


def without_cuda_operators() -> None:
    """Let torchvision's wheel import beside a torch without CUDA."""
    register = torch.library.register_fake

    def skipping(name, *rest, **named):
        if isinstance(name, str) and name.startswith("torchvision::"):
            return lambda function: function
        return register(name, *rest, **named)

    torch.library.register_fake = skipping


def official_quotient(first: Tensor, second: Tensor, inner: float, outer: float) -> Tensor:
    """InfoNCE times sg[W(outer) / W(inner)], shares as one less the positive's: the official form."""
    q, k = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
    scores = q @ k.T
    fixed = scores.detach()
    shares = [1 - (fixed / t).softmax(dim=1).diagonal() for t in (outer, inner)]
    each = -(scores / inner).log_softmax(dim=1).diagonal()
    return (shares[0] / shares[1] * each).mean()


def symmetric(loss: nn.Module, **given) -> Loss:
    """The mean of both directions."""
    return lambda a, b: (loss(a, b, **given) + loss(b, a, **given)) / 2


def pairs(bank: Tensor) -> dict[str, tuple[Loss, Loss, bool]]:
    """What is compared: ours, theirs, and whether the values ought to agree too."""
    from lightly.loss import DCLLoss, NegativeCosineSimilarity, NTXentLoss
    from lightly.loss.vicreg_loss import covariance_loss

    def with_bank(a: Tensor, b: Tensor) -> Tensor:
        theirs = NTXentLoss(0.1, memory_bank_size=(len(bank), bank.shape[1])).to(a.dtype)
        theirs.memory_bank.bank = functional.normalize(bank, dim=1).to(a.dtype)
        return theirs(a, b)

    return {
        "InfoNCE, both views (NTXentLoss)": (
            symmetric(InfoNCE(0.1, same_view=True)), NTXentLoss(0.1), True,
        ),
        "InfoNCE, queue (NTXentLoss with a memory bank)": (
            lambda a, b: InfoNCE(0.1, in_batch=False)(a, b, queue=bank), with_bank, True,
        ),
        "decoupled, both views (DCLLoss)": (
            symmetric(Decoupled(0.1, same_view=True)), DCLLoss(0.1), True,
        ),
        "dual temperature at an outer one of 1e9, times 2n-1 / 2n-2 (DCLLoss)": (
            lambda a, b: symmetric(DualTemperature(0.1, 1e9, same_view=True))(a, b)
            * (2 * len(a) - 1) / (2 * len(a) - 2), DCLLoss(0.1), True,
        ),
        "negative cosine (NegativeCosineSimilarity)": (
            negative_cosine, lambda a, b: NegativeCosineSimilarity()(a, b.detach()), True,
        ),
        "de-correlation (covariance_loss of VICReg)": (
            lambda a, b: decorrelation(a), lambda a, b: covariance_loss(a), True,
        ),
        "dual temperature (quotient form, written here)": (
            DualTemperature(0.1, 1.0), lambda a, b: official_quotient(a, b, 0.1, 1.0), False,
        ),
    }  # fmt: skip


def agreement(number: int = 64, width: int = 32) -> list[dict]:
    """Largest relative difference of values and gradients in float64."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(number, width, generator=generator, dtype=torch.float64)
    b = a + torch.randn(number, width, generator=generator, dtype=torch.float64)
    bank = torch.randn(256, width, generator=generator, dtype=torch.float64)
    rows = []
    for name, (ours, theirs, values) in pairs(bank).items():
        found = []
        for loss in (ours, theirs):
            first, second = a.clone().requires_grad_(), b.clone().requires_grad_()
            value = loss(first, second)
            slopes = torch.autograd.grad(value, (first, second), allow_unused=True)
            slopes = [torch.zeros_like(a) if s is None else s for s in slopes]
            found.append((value.item(), torch.cat(slopes)))
        (mine, slope), (other, reference) = found
        rows.append(
            {
                "loss": name,
                "value": abs(mine - other) / abs(other) if values else None,
                "gradient": float((slope - reference).abs().max() / reference.abs().max()),
            }
        )
    return rows


def other_pieces() -> dict[str, float]:
    """The spread against `std_of_l2_normalized`, and a full target against `update_momentum`."""
    from lightly.models.utils import update_momentum
    from lightly.utils.debug import std_of_l2_normalized

    torch.manual_seed(0)
    rows = torch.randn(500, 64, dtype=torch.float64) + 0.3
    # theirs divides by n - 1
    told = float(std_of_l2_normalized(rows)) * 8 * np.sqrt(499 / 500)
    spread = abs(collapse_report(rows).spread - told)
    online = Branch(nn.Linear(8, 8), nn.Linear(8, 4))
    theirs = copy.deepcopy(online)
    target = Momentum(online, Ema("full", 0.99))
    for step in range(100):
        with torch.no_grad():
            for parameter in online.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        update_momentum(online, theirs, 0.99)
        target.update(online, step, 100)
    apart = max(
        float((target.kept(name) - kept).abs().max()) for name, kept in theirs.named_parameters()
    )
    return {"spread": spread, "momentum after 100 steps, float32": apart}


def timed(number: int, width: int = 128, repeats: int = 15) -> list[dict]:
    """Milliseconds of a call with its backward pass; median of runs in turn, float32."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(number, width, generator=generator) for _ in range(2))
    bank = torch.randn(4096, width, generator=generator)
    rows = []
    for name, (ours, theirs, _) in pairs(bank).items():
        spent: dict[str, list[float]] = {"ours": [], "theirs": []}
        for repeat in range(repeats + 3):
            for side, loss in (("ours", ours), ("theirs", theirs)):
                first, second = a.clone().requires_grad_(), b.clone().requires_grad_()
                began = time.process_time()
                loss(first, second).backward()
                if repeat >= 3:
                    spent[side].append(1000 * (time.process_time() - began))
        rows.append(
            {"loss": name, "n": number} | {k: float(np.median(v)) for k, v in spent.items()}
        )
    return rows


def half_precision() -> list[dict]:
    """Where the positive is far ahead: the gradient of both forms of dual temperature."""
    rows = []
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for gap in (0.5, 1.0, 1.5, 2.0):
            keys = torch.tensor([[1.0, 0.0], [1 - gap, (1 - (1 - gap) ** 2) ** 0.5]]).to(dtype)
            found = {}
            for name, loss in (
                ("quotient", lambda a, b: official_quotient(a, b, 0.1, 1.0)),
                ("division-free", DualTemperature(0.1, 1.0)),
            ):
                queries = keys.clone().requires_grad_()
                loss(queries, keys).backward()
                found[name] = bool(torch.isfinite(queries.grad).all())
            rows.append({"dtype": str(dtype), "gap": gap} | found)
    return rows


def main() -> None:
    torch.set_num_threads(1)
    without_cuda_operators()
    import lightly

    found = {
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}, one thread",
        "torch": torch.__version__,
        "lightly": lightly.__version__,
        "agreement": agreement(),
        "other": other_pieces(),
        "time": [row for number in (256, 1024) for row in timed(number)],
        "half": half_precision(),
    }
    text = json.dumps(found, indent=1)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

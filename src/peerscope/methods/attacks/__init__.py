"""L-infinity attacks and how strong they are beyond the top-1 (Zhang et al. 2022, arXiv 2204.00089).

`LinfAttack` holds the family of FGSM with any loss; `metrics` ranks the class of interest;
`evaluate_transfer` makes the table of sources, targets, attacks and losses.
"""

from peerscope.methods.attacks.inputs import InputDiversity, TranslationInvariance
from peerscope.methods.attacks.linf import LinfAttack, Trace
from peerscope.methods.attacks.losses import (
    cross_entropy,
    logit,
    margin,
    rce,
    relative_cross_entropy,
)
from peerscope.methods.attacks.metrics import interest_class_rank, success_curve, topk_success
from peerscope.methods.attacks.models import Ensemble
from peerscope.methods.attacks.transfer import TransferRow, TransferTable, evaluate_transfer

__all__ = [
    "Ensemble",
    "InputDiversity",
    "LinfAttack",
    "Trace",
    "TransferRow",
    "TransferTable",
    "TranslationInvariance",
    "cross_entropy",
    "evaluate_transfer",
    "interest_class_rank",
    "logit",
    "margin",
    "rce",
    "relative_cross_entropy",
    "success_curve",
    "topk_success",
]

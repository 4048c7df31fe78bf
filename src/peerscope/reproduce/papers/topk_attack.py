"""Claims of "Investigating Top-k White-Box and Transferable Black-box Attack" (CVPR 2022)."""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper, Relation
from peerscope.reproduce.protocol import Profile, Protocol, Setting

PAIRS = (("residual", "vgg"), ("residual", "plain"), ("vgg", "residual"), ("vgg", "plain"))
RIVALS = {"ce": "cross-entropy", "cw": "the margin loss"}
LOGIT = (
    "control: and above the plain logit loss, so that the gain is not that of any constant gradient"
)

_SHARED: dict[str, Setting] = {
    "nets": ("residual", "vgg", "plain"), "batch": 64, "rate": 2e-3, "precision": "float32",
    "steps": 10, "long": 40, "all_images": False,
}  # fmt: skip

RANKS = Protocol(
    name="attack_ranks",
    version=1,
    entry="peerscope.reproduce.protocols.attack_ranks:run",
    summary="Nets of different families are trained; a residual net and a VGG are attacked within an "
    "L-infinity budget by FGSM, I-FGSM and their companions under four losses, and all nets rank the true "
    "class (or the target) of test images that every net gets right. Budget, steps, nets and data are ours: "
    "the paper's are not known.",
    figures={
        "accuracy/*": "test images that a net gets right, in percent",
        "rank/*": "rank of the true class after the attack, one an image; 1 is the best for the net",
        "top1/*": "pairs of nets at which the true class lost the first place, in percent; in transfer "
        "one an image",
        "topk/*": "pairs at which it is beyond the first 50 (5 of ten classes), likewise",
        "target-rank/*": "rank of the target after a targeted attack, one an image",
        "target-top1/*": "pairs at which the target is first, in percent, one an image",
        "target-topk/*": "pairs at which it is in the first 10 (3 of ten classes), in percent, one an image",
    },
    profiles={
        "cpu": Profile(
            {
                **_SHARED, "data": "omniglot", "images": 0, "widths": (0.25, 0.25, 0.375),
                "passes": (12, 10, 16), "eps": 0.15, "judged": 120, "traced": 60, "k": 50,
                "target_k": 10,
            },
            seeds=3,
        ),
        "gpu": Profile(
            {
                **_SHARED, "data": "cifar-10", "images": 0, "batch": 256,
                "nets": ("residual", "vgg", "plain", "transformer"), "widths": (1.0, 1.0, 1.0, 1.0),
                "passes": (12, 12, 15, 15), "precision": "bfloat16", "eps": 8 / 255, "judged": 500,
                "traced": 200, "k": 5, "target_k": 3,
            },
            seeds=3,
            seconds=480,
            device="cuda",
            memory_mb=16_384,
        ),
        "tiny": Profile(
            {
                **_SHARED, "data": "fashion-mnist", "images": 256, "widths": (0.0625, 0.0625, 0.125),
                "passes": (1, 1, 1), "steps": 2, "long": 3, "all_images": True, "eps": 0.15,
                "judged": 8, "traced": 4, "k": 5, "target_k": 3,
            },
            seeds=1,
            seconds=120,
        ),
    },
    data=("omniglot", "cifar-10", "fashion-mnist"),
)  # fmt: skip

REDUCED = {
    "cpu": "Our protocol, as the paper's is not known: Omniglot (242 classes, 28 pixels) and budget 0.15 "
    "instead of photographs, narrow nets of three families trained for 560 to 900 steps, 120 images a seed.",
    "gpu": "Our protocol, as the paper's is not known: half of CIFAR-10 (10 classes, 32 pixels, so ranks "
    "end at 10), ResNet-18, VGG-11, a plain net and a small transformer, budget 8/255, 500 images a seed.",
}
ABSTRACT = "abstract, which has no figures; the body could not be read"


def _against(figure: str, *, below: bool = False) -> tuple[Check, ...]:
    """RCE against cross-entropy and the margin loss, and against the logit loss as a control."""
    relation: Relation = "below" if below else "above"
    place = figure.replace("/{}", "")
    ours = figure.format("rce")
    paper = tuple(
        Check(f"{place}: {relation} {words}", ours, figure.format(loss), relation=relation)
        for loss, words in RIVALS.items()
    )
    control = LOGIT.replace("above", "below") if below else LOGIT
    return (*paper, Check(f"{place}: {control}", ours, figure.format("logit"), relation=relation))


def _stronger(figure: str, attack: str, words: str, losses: tuple[str, ...]) -> tuple[Check, ...]:
    """An attack above FGSM in transfer, under each of several losses."""
    kind = {"rank": "rank", "topk": "success at a large k"}[figure]
    return tuple(
        Check(
            f"{kind}, {words}, {loss}",
            f"{figure}/transfer/{attack}/{loss}",
            f"{figure}/transfer/fgsm/{loss}",
        )
        for loss in losses
    )


PAPER = Paper(
    learned=(
        "At the attacked net the paper's reading holds: within ten steps cross-entropy and the margin "
        "loss fool every image and leave the rank of the true class 27 to 103 places behind relative "
        "cross-entropy, which by many steps also passes the plain logit loss by 3 to 4 places. In "
        "transfer between our small nets on characters it is not seen: differences to cross-entropy are "
        "within chance, the plain logit loss is as good or better, and more steps transfer worse than "
        "one when the step is a tenth of the budget (with steps of a quarter, nothing is resolved). "
        "Aimed at a target, relative cross-entropy lowers the mean rank at other nets and reaches the "
        "first place less often at the attacked one. Protocol, nets and data are ours, since the "
        "paper's are not known."
    ),
    slug="topk-attack",
    title="Investigating Top-k White-Box and Transferable Black-box Attack",
    identifiers=("arxiv:2204.00089",),
    version="CVPR 2022, arXiv 2204.00089",
    known="Only the abstract could be read, and it has no figures. Budgets, steps, nets, data, whether ranks "
    "are averaged over all images or those read rightly at first, and whether targeted attacks are tabled "
    "are not known; the authors' repository has no code. The equation of relative cross-entropy (RCE), the "
    "mean logit less that of the true class, is from memory; the abstract and its own algebra support it, "
    "and the mean over the other classes alone would give the same attack under sign steps. Ranks count "
    "from 1.",
    protocols=(RANKS,),
    claims=(
        Claim(
            id="topk-attack-1",
            statement="Judged by the first place alone, one-step FGSM transfers better than the stronger "
            "I-FGSM (the popular belief that the paper sets out from).",
            metric="images whose true class loses the first place at another net, in percent",
            location=ABSTRACT + "; the README of the TransferAttack framework has, on ImageNet from "
            "ResNet-50, 54.6 against 36.5 at VGG-16 and 49.2 against 99.6 at the attacked net",
            protocol="attack_ranks",
            checks=(
                Check("transfer, FGSM above I-FGSM, cross-entropy",
                      "top1/transfer/fgsm/ce", "top1/transfer/ifgsm/ce"),
                Check("transfer, FGSM above I-FGSM, margin loss",
                      "top1/transfer/fgsm/cw", "top1/transfer/ifgsm/cw"),
                Check("transfer, FGSM above I-FGSM, logit loss",
                      "top1/transfer/fgsm/logit", "top1/transfer/ifgsm/logit"),
                Check("control: at the attacked net I-FGSM is the stronger, cross-entropy",
                      "top1/white/ifgsm/ce", "top1/white/fgsm/ce"),
            ),
            profiles=REDUCED,
            controls="The same attack at the attacked net; margin and logit loss beside cross-entropy. "
            "I-FGSM has 10 steps of a tenth of the budget.",
        ),
        Claim(
            id="topk-attack-2",
            learned=(
                "Steps of a tenth of the budget transfer worse than one step by every loss, by rank as "
                "by first place; steps of a quarter look better (11 to 13 places), with intervals that "
                "hold zero."
            ),
            statement="Judged by the rank of the true class, or by success at a large k, the attack with "
            "more steps transfers better than FGSM, against that belief.",
            metric="rank of the true class at another net; pairs beyond the first k, in percent",
            location=ABSTRACT,
            protocol="attack_ranks",
            checks=(
                *_stronger("rank", "ifgsm", "10 steps of a tenth", ("ce", "cw", "logit", "rce")),
                *_stronger("rank", "ifgsm-long", "40 steps of a quarter", ("ce", "cw", "logit", "rce")),
                *_stronger("topk", "ifgsm", "10 steps of a tenth", ("ce", "rce")),
                *_stronger("topk", "ifgsm-long", "40 steps of a quarter", ("ce", "rce")),
            ),
            profiles=REDUCED,
            controls="All four losses; the weaker steps are those of claim 1, so that both are about one "
            "attack.",
            curve="success in percent over k, transfer, long I-FGSM",
        ),
        Claim(
            id="topk-attack-3",
            statement="At the attacked net, cross-entropy and margin loss fool the first place within a few "
            "steps and leave the rank behind, the margin loss farthest: they favour speed over strength.",
            metric="rank of the true class at the attacked net",
            location=ABSTRACT,
            protocol="attack_ranks",
            checks=(
                Check("10 steps fool at least 98 % by cross-entropy",
                      "top1/white/ifgsm-quarter/ce", bound=98.0),
                Check("10 steps fool at least 98 % by the margin loss",
                      "top1/white/ifgsm-quarter/cw", bound=98.0),
                Check("after 40 steps cross-entropy is behind RCE in rank",
                      "rank/white/ifgsm-long/ce", "rank/white/ifgsm-long/rce", relation="below"),
                Check("after 40 steps the margin loss is behind cross-entropy in rank",
                      "rank/white/ifgsm-long/cw", "rank/white/ifgsm-long/ce", relation="below"),
                Check("control: after 40 steps cross-entropy is behind the logit loss too",
                      "rank/white/ifgsm-long/ce", "rank/white/ifgsm-long/logit", relation="below"),
            ),
            profiles=REDUCED,
            controls="The logit loss, whose gradient does not fade either.",
            curve="mean rank over steps, attacked net",
        ),
        Claim(
            id="topk-attack-4",
            statement="RCE moves the true class farther down at the attacked net than cross-entropy and the "
            "margin loss do in as many steps.",
            metric="rank of the true class at the attacked net",
            location=ABSTRACT,
            protocol="attack_ranks",
            checks=tuple(
                check
                for source in ("residual", "vgg")
                for attack in ("fgsm", "ifgsm-quarter", "ifgsm-long")
                for check in _against(f"rank/{source}/{attack}/{{}}/{source}")
            ),
            profiles=REDUCED,
            controls="The plain logit loss, whose gradient is all but that of RCE.",
            curve="mean rank over steps, attacked net",
        ),
        Claim(
            id="topk-attack-5",
            learned=(
                "Between these nets nothing separates relative cross-entropy from the other losses but "
                "chance, and the plain logit loss is never worse."
            ),
            statement="RCE moves the true class farther down at other nets too, and succeeds more often at a "
            "large k.",
            metric="rank of the true class at another net; pairs beyond the first k, in percent",
            location=ABSTRACT,
            protocol="attack_ranks",
            checks=(
                *(
                    check
                    for source, target in PAIRS
                    for check in _against(f"rank/{source}/ifgsm-quarter/{{}}/{target}")
                ),
                *_against("topk/transfer/ifgsm-quarter/{}"),
            ),
            profiles=REDUCED,
            controls="The plain logit loss; every pair of nets by itself.",
            curve="success in percent over k, transfer, long I-FGSM",
        ),
        Claim(
            id="topk-attack-6",
            statement="The advantage in transfer holds in various settings: with momentum, input diversity, "
            "translation invariance and all three.",
            metric="rank of the true class at another net",
            location=ABSTRACT + "; that these are its settings is our reading",
            protocol="attack_ranks",
            checks=tuple(
                check
                for attack in ("mi", "di", "ti", "mi-di-ti")
                for check in _against(f"rank/transfer/{attack}/{{}}")
            ),
            profiles=REDUCED,
            controls="The plain logit loss.",
        ),
        Claim(
            id="topk-attack-7",
            statement="Aimed at a target, RCE brings it nearer to the first place than cross-entropy and the "
            "margin loss do, and into the first k more often.",
            metric="rank of the target; pairs with the target among the first k, in percent",
            better="lower",
            location=ABSTRACT + "; whether the paper tables targeted attacks is not known",
            protocol="attack_ranks",
            checks=tuple(
                check
                for where in ("white", "transfer")
                for check in (
                    *_against(f"target-rank/{where}/{{}}", below=True),
                    *_against(f"target-topk/{where}/{{}}")[:2],
                    *_against(f"target-top1/{where}/{{}}")[:2],
                )
            ),
            profiles=REDUCED,
            controls="The plain logit loss, for ranks. Targets are drawn anew for every image; 40 steps of "
            "an eighth of the budget.",
        ),
    ),
)  # fmt: skip

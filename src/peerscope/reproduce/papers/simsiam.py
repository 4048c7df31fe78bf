"""Claims of "How Does SimSiam Avoid Collapse Without Negative Samples?" (ICLR 2022).

Collapse is judged by the vectors that a loss acts on, never by accuracy: on Fashion-MNIST nets that have
collapsed, or were never trained, still score above 70 %.
"""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.papers.simsiam_protocols import PROTOCOLS

ONLY_CPU, ONLY_GPU = ("cpu",), ("gpu",)

_DATA = "Fashion-MNIST instead of CIFAR-100"
_CPU = (
    f"{_DATA} (10,000 images), a four-layer net with projections of 256 instead of ResNet-18 with 2,048, "
    "250 steps of 128 instead of 1,000 epochs"
)
_GPU = (
    f"{_DATA} (60,000 images), ResNet-18 of half the width with projections of 2,048, 10 epochs instead of "
    "1,000"
)
REDUCED = {"cpu": _CPU, "gpu": _GPU}


def collapses(arm: str, who: str) -> tuple[Check, ...]:
    """The arm becomes one point."""
    return (
        Check(f"{who}: the mean takes all", f"m_o/{arm}", bound=0.98),
        Check(
            f"{who}: next to nothing is left beside it", f"m_r/{arm}", relation="below", bound=0.15
        ),
    )


def stands(arm: str, who: str, bound: float = 0.9) -> Check:
    """The arm does not become one point."""
    return Check(f"{who} does not collapse", f"m_o/{arm}", relation="below", bound=bound)


CLAIMS = (
    Claim(
        id="simsiam-1",
        learned=(
            "The projections are well spread; the predictions, on which the loss acts, have a mean of "
            "0.72 after 250 steps and are still moving, so their two checks are open."
        ),
        statement="SimSiam does not collapse: the mean of its unit vectors stays short.",
        metric="length m_o of the mean of unit vectors and spread (deviation times the root of the width), "
        "of predictions, which the loss acts on, and of projections",
        better="lower",
        reported="no collapse, 66.62 % top-1",
        location="Table 2",
        protocol="simsiam_arms",
        checks=(
            Check("the mean prediction is short", "m_o/simsiam", relation="below", bound=0.8,
                  profiles=ONLY_CPU),
            Check("the mean projection is short", "z_m_o/simsiam", relation="below", bound=0.8,
                  profiles=ONLY_CPU),
            Check("the mean prediction is near 0", "m_o/simsiam", relation="below", bound=0.1,
                  profiles=ONLY_GPU),
            Check("the mean projection is near 0", "z_m_o/simsiam", relation="below", bound=0.1,
                  profiles=ONLY_GPU),
            Check("predictions fill more than half of an even spread", "spread/simsiam", bound=0.5),
            Check("projections do too", "z_spread/simsiam", bound=0.5),
        ),
        profiles=REDUCED,
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-2",
        statement="Without the predictor (naive siamese), or with it on the side of the stop-gradient "
        "(mirror), it collapses.",
        metric="lengths m_o of the mean and m_r of the residual of projections, which these losses act on",
        better="neither",
        reported="both collapse, 1 % top-1",
        location="Table 2",
        protocol="simsiam_arms",
        checks=(
            *collapses("naive", "Naive"),
            *collapses("mirror", "Mirror"),
            Check("naive learns less than SimSiam", "correct/simsiam", "correct/naive", profiles=ONLY_GPU),
            Check("mirror learns less than SimSiam", "correct/simsiam", "correct/mirror",
                  profiles=ONLY_GPU),
        ),
        profiles=REDUCED,
        controls="SimSiam from the same start on the same batches (claim 1).",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-3",
        learned=(
            "Trained by that loss alone the predictor becomes one point; with a loss of its own it had "
            "not after 2,000 steps. The paper's appendix, which would say which is meant, could not be "
            "read."
        ),
        statement="With the predictor on both sides (symmetric predictor) it collapses.",
        metric="length m_o of the mean of predictions, which the loss acts on",
        better="neither",
        reported="collapse, 1 % top-1",
        location="Table 2",
        protocol="simsiam_arms",
        checks=(
            Check("predictor trained by that loss alone: its predictions become one point", "m_o/symmetric",
                  bound=0.95),
            Check("and the loss goes to -1", "loss/symmetric", relation="below", bound=-0.95),
            Check("predictor trained by a loss of its own as well: its predictions become one point",
                  "m_o/symmetric_separate", bound=0.95),
        ),
        profiles={
            "cpu": f"{_CPU}; 2,000 steps where the predictor has a loss of its own",
            "gpu": _GPU,
        },
        controls="How the predictor was trained could not be read, so both ways are tried: by this loss "
        "alone, and by a loss on detached projections beside it, as in algorithm 5 for the inverse.",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-4",
        statement="An inverse predictor on the target of the symmetric predictor rescues it from collapse.",
        metric="length m_o of the mean of predictions",
        better="lower",
        reported="no collapse, a little below SimSiam (about 65.5 to 66.6 % top-1, read off figure 3)",
        location="Figure 3 and algorithm 5",
        protocol="simsiam_arms",
        checks=(
            stands("inverse", "The inverse predictor"),
            Check("without it the symmetric predictor collapses", "m_o/symmetric", bound=0.95),
            Check("accuracy within three points of SimSiam's", "correct/inverse", "correct/simsiam",
                  relation="within", bound=0.0, tolerance=0.03, profiles=ONLY_GPU),
        ),
        profiles=REDUCED,
        controls="The symmetric predictor without an inverse. Algorithm 5 prints a half for one of two terms "
        "of the encoder's loss, taken for a misprint: both are halved.",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-5",
        statement="A gradient towards the mean raises the mean's share of a vector, one towards the "
        "residuals raises the residual's.",
        metric="lengths m_o of the mean and m_r of the residual at the ends of phases",
        reported="m_o goes to about 1 under o_z, m_r to about 1 under r_a (read off figure 4)",
        location="Conjecture 1 and figure 4",
        protocol="simsiam_forces",
        checks=(
            Check("first round: the mean grows", "m_o/centre_1", "m_o/start"),
            Check("and takes nearly all", "m_o/centre_1", bound=0.95),
            Check("the residual grows", "m_r/residual_1", "m_r/random_1"),
            Check("and takes nearly all", "m_r/residual_1", bound=0.95),
            Check("second round: the mean grows", "m_o/centre_2", "m_o/residual_1"),
            Check("and takes nearly all", "m_o/centre_2", bound=0.95),
            Check("the residual grows", "m_r/residual_2", "m_r/random_2"),
            Check("and takes nearly all", "m_r/residual_2", bound=0.95),
        ),
        profiles={
            "cpu": f"{_DATA} (10,000 images), a four-layer net, phases of 100 steps of 128 instead of about "
            "400 iterations",
            "gpu": f"{_DATA} (60,000 images), ResNet-18 of half the width",
        },
        controls="A phase of random targets between the two, as in the figure; two rounds, so that each "
        "phase starts once from what the other left.",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-6",
        statement="In a triplet loss with a random negative the mean of the extra gradient (de-centering) "
        "prevents collapse; its residual alone does not.",
        metric="lengths m_o of the mean and m_r of the residual of projections",
        better="neither",
        reported="m_o .026 and 36.21 % whole, .026 and 47.41 % without r_e; collapse (m_o 1) without o_e",
        location="Table 3",
        protocol="simsiam_triplet",
        checks=(
            stands("full", "The whole triplet", 0.8),
            Check("it fills more than half of an even spread", "spread/full", bound=0.5),
            stands("centre_only", "The triplet without its residual", 0.8),
            Check("it fills more than half of an even spread", "spread/centre_only", bound=0.5),
            *collapses("residual_only", "Without the mean"),
            Check("leaving out the residual raises accuracy", "correct/centre_only", "correct/full",
                  profiles=ONLY_GPU),
        ),
        profiles=REDUCED,
        controls="The whole extra gradient.",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-7",
        statement="Of SimSiam's extra gradient either part, its mean or its residual, prevents collapse; "
        "without both it collapses.",
        metric="length m_o of the mean of predictions",
        better="neither",
        reported="66.62 % with both, 48.08 with the mean only, 66.15 with the residual only, collapse with "
        "neither",
        location="Table 4",
        protocol="simsiam_arms",
        checks=(
            stands("simsiam", "With both parts it"),
            stands("centre_only", "With the mean only it"),
            stands("residual_only", "With the residual only it"),
            Check("with neither it collapses", "m_o/symmetric", bound=0.95),
            Check("neither part is exactly the symmetric predictor", "identity/neither", relation="below",
                  bound=1e-9),
            Check("both parts are exactly SimSiam", "identity/both", relation="below", bound=1e-9),
            Check("the residual alone is as accurate as both, within three points", "correct/residual_only",
                  "correct/simsiam", relation="within", bound=0.0, tolerance=0.03, profiles=ONLY_GPU),
            Check("and more accurate than the mean alone", "correct/residual_only", "correct/centre_only",
                  profiles=ONLY_GPU),
        ),
        profiles=REDUCED,
        controls="The gradients of the arms with both parts and with neither equal those of SimSiam and of "
        "the symmetric predictor, so those two stand for them.",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-8",
        statement="SimSiam's extra gradient points against the mean prediction: o_e holds o_p with a "
        "negative sign.",
        metric="coefficient of o_p in o_e (and of o_z in o_p - o_z), mean over the run",
        better="lower",
        reported="about -0.44, and +0.18 (read off figure 5a)",
        location="Figure 5a",
        protocol="simsiam_arms",
        checks=(
            Check("the mean coefficient is negative", "share/o_p_in_o_e", relation="below"),
            Check("so is the largest of all measurements", "share/o_p_in_o_e_largest", relation="below"),
            Check("o_p - o_z holds o_z with a positive sign", "share/o_z_in_minus_o_e"),
        ),
        profiles=REDUCED,
        controls="o_p is of another view than o_e. The coefficient is negative for any two vectors of equal "
        "length, so that the second coefficient is asked too: it is positive only if o_p reaches beyond o_z.",
        curve="share over steps",
    ),
    Claim(
        id="simsiam-9",
        learned=(
            "Squared correlations bring the residual back, squared covariances do not: in a collapsed "
            "net covariances are near zero, and their gradient vanishes with them."
        ),
        statement="De-correlation alone brings back the residual of vectors that have collapsed.",
        metric="length m_r of the residual before collapse, after it, and after training by a loss on "
        "correlation alone",
        reported="m_r from about .1 to about 1 almost at once (read off figure 5b)",
        location="Conjecture 2 and figure 5b; the loss in algorithm 6",
        protocol="simsiam_forces",
        checks=(
            Check("the net has collapsed before", "m_r/collapsed", relation="below", bound=0.15),
            Check("squared covariances (algorithm 6): the residual grows", "m_r/covariance",
                  "m_r/collapsed"),
            Check("and comes back to 95 % of what it was before", "m_r/covariance", "m_r/healthy",
                  bound=0.95, compare="ratio"),
            Check("squared correlations: the residual grows", "m_r/correlation", "m_r/collapsed"),
            Check("and comes back to 95 % of what it was before", "m_r/correlation", "m_r/healthy",
                  bound=0.95, compare="ratio"),
        ),
        profiles={
            "cpu": f"{_DATA} (10,000 images), a four-layer net; 100 steps of SimSiam, 150 of collapse and 50 "
            "of de-correlation instead of 5, 1 and several epochs",
            "gpu": f"{_DATA} (60,000 images), ResNet-18 of half the width; 5, 1 and 1 epochs",
        },
        controls="It is said to be a correlation loss and algorithm 6 prints covariances, so both are tried: "
        "covariances of unit vectors as printed, and correlations, every dimension brought to unit deviation "
        "first. The weight is not known and 1; a third arm has 1,000 on covariances.",
        curve="m_r over steps",
    ),
    Claim(
        id="simsiam-10",
        learned=(
            "Alignment peaks as early as printed (0.95 at 0.2) and does not fall towards higher "
            "temperatures: 0.99 at 1."
        ),
        statement="The residual part of InfoNCE's extra gradient points where de-correlation does, most at "
        "temperatures of 0.1 to 0.2; the mean part does not.",
        metric="mean cosine with the descent of decorrelation",
        reported="about 0 below .05, .8 at .1 to .2, .33 at .4, .08 at 1; o_e about 0 (read off figure 5c)",
        location="Figure 5c",
        protocol="simsiam_alignment",
        checks=(
            Check("at 0.2 the residual part lies along it", "r_e/0.2"),
            Check("and more than the mean part", "r_e/0.2", "o_e/0.2"),
            Check("which is at right angles to it", "o_e/0.2", relation="within", bound=0.0, tolerance=0.1),
            Check("the residual part loses it towards small temperatures", "r_e/0.2", "r_e/0.02"),
            Check("and towards large ones", "r_e/0.2", "r_e/1"),
            Check("already at 0.1 it is above that of 1", "r_e/0.1", "r_e/1"),
        ),
        profiles={
            "cpu": f"{_DATA}, a four-layer net frozen after 250 steps of InfoNCE; 2,048 images in batches of "
            "256",
            "gpu": f"{_DATA}, ResNet-18 of half the width frozen after 10 epochs of InfoNCE; 10,000 images "
            "in batches of 256",
        },
        controls="The same with all images as one batch; the limit for large temperatures, which follows "
        "from the covariance alone; how even the covariance is.",
        curve="cosine over temperature",
    ),
    Claim(
        id="simsiam-11",
        statement="Without the residual part of its extra gradient SimSiam's projections are more "
        "correlated, and it learns less.",
        metric="sum of squared covariances of different dimensions over their number, of projections",
        better="lower",
        reported="about .0004 with, .004 without; 49 against 26 % top-1 (read off figure 6)",
        location="Figure 6",
        protocol="simsiam_arms",
        checks=(
            Check("covariance is higher without the residual part", "z_covariance/centre_only",
                  "z_covariance/simsiam", bound=1.0, compare="ratio"),
            Check("accuracy is lower", "correct/simsiam", "correct/centre_only", profiles=ONLY_GPU),
        ),
        profiles={
            "cpu": f"{_CPU} (200 in the figure); accuracy is not asked, since on these images an untrained "
            "net scores as high",
            "gpu": _GPU.replace("1,000", "200"),
        },
        curve="covariance over steps",
    ),
    Claim(
        id="simsiam-12",
        statement="A single bias in place of the predictor prevents collapse, and the bias points along the "
        "mean projection.",
        metric="cosine of bias and mean projection; length m_o of the mean of predictions",
        location="Tables 5 and 6; their figures could not be read",
        protocol="simsiam_arms",
        checks=(
            Check("the bias lies along the mean projection", "cosine/bias_centre", bound=0.9),
            stands("bias", "The single bias"),
            Check("without any predictor it collapses", "m_o/naive", bound=0.98),
            Check("it learns less than with a perceptron", "correct/simsiam", "correct/bias",
                  profiles=ONLY_GPU),
        ),
        profiles=REDUCED,
        controls="The naive net, which differs by the bias alone.",
        curve="m_o over steps",
    ),
    Claim(
        id="simsiam-13",
        learned=(
            "The mean of ten views collapses as printed. So does our moving average (weight 0.8, as in "
            "the authors' code) in 2,000 steps over 4,000 images; what made the printed one stand is not "
            "known."
        ),
        statement="The mean over further views under the current weights as target collapses, so an "
        "expectation over augmentations does not explain SimSiam; a moving average an image stands.",
        metric="lengths m_o of the mean and m_r of the residual of projections",
        better="neither",
        reported="collapse with 10 and with 25 views (deviation 0); moving average: deviation .0108, 46.57 %",
        location="Table 1",
        protocol="simsiam_average",
        checks=(
            *collapses("same_batch_10", "Mean of 10 views"),
            Check("Mean of 25 views: the mean takes all", "m_o/same_batch_25", bound=0.98,
                  profiles=ONLY_GPU),
            Check("Mean of 25 views: next to nothing is left beside it", "m_r/same_batch_25",
                  relation="below", bound=0.15, profiles=ONLY_GPU),
            stands("moving_average", "The moving average"),
        ),
        profiles={
            "cpu": f"{_DATA} (5,000 images), a four-layer net; 10 views, 200 steps of 64; the moving average "
            "2,000 steps, or 25 passes, instead of 1,000",
            "gpu": f"{_DATA} (60,000 images), ResNet-18 of half the width; 4 passes, the moving average 20",
        },
        controls="The moving average of each image's projections, with the same images and net. It keeps 0.8 "
        "at an update as in the research code; whether the printed result did is not known.",
        curve="m_o over steps",
    ),
)  # fmt: skip

PAPER = Paper(
    learned=(
        "Eight of thirteen claims are reproduced whole, and every wiring that should collapse did: "
        "naive, mirror, triplet without its mean part, and the symmetric predictor when its predictor "
        "learns by that loss alone. When the predictor has a loss of its own, the symmetric predictor "
        "had not collapsed after 2,000 steps, so which of the two is meant matters. De-correlation "
        "brings a collapsed net back when it acts on correlations; the printed form, on covariances, "
        "did not within 50 steps, since covariances of a collapsed net are near zero and so is their "
        "gradient. The residual part of InfoNCE's gradient lies along de-correlation at 0.1 to 0.2 as "
        "printed, yet here it stays there at higher temperatures. The moving average of an image "
        "collapsed in 2,000 steps, with a weight from the authors' code whose use for the printed table "
        "is not known."
    ),
    slug="simsiam",
    title="How Does SimSiam Avoid Collapse Without Negative Samples? A Unified Understanding with "
    "Self-supervised Contrastive Learning",
    identifiers=("arxiv:2203.16262", "openreview:bwq6O4Cwdl"),
    version="ICLR 2022, arXiv 2203.16262",
    claims=CLAIMS,
    protocols=PROTOCOLS,
    known="Tables 1 to 4, figures 1 to 6 and algorithms 5 and 6 were read as pictures in public reading "
    "notes, beside research code of the second author; values of figures are read off plots, to about 5 %. "
    "The text, the appendix and the figures of tables 5 and 6 could not be read. So it is not known how the "
    "predictor of the mirror and symmetric variants was trained, what the weight of the correlation loss "
    "was, and what the random phases of figure 4 were: here random directions drawn anew at every step. The "
    "research code trains the predictor at a constant rate; here it follows the schedule of the rest.",
)

"""Claims of "A Survey on Masked Autoencoder for Self-supervised Learning in Vision and Beyond" (2022)."""

from __future__ import annotations

from peerscope.reproduce.claims import Check, Claim, Paper
from peerscope.reproduce.protocol import Profile, Protocol, Setting

SMALL: dict[str, Setting] = {
    "patch": 4, "dim": 96, "depth": 4, "heads": 4, "decoder_dim": 64, "rate": 1.5e-3,
}  # fmt: skip
TINY: dict[str, Setting] = {
    "patch": 8, "dim": 16, "depth": 1, "heads": 2, "decoder_dim": 16, "rate": 1.5e-3,
}  # fmt: skip
LARGE: dict[str, Setting] = {
    "patch": 4, "dim": 192, "depth": 12, "heads": 3, "decoder_dim": 96, "rate": 1.5e-3,
}  # fmt: skip

IMAGES = Protocol(
    name="masked_images",
    version=1,
    entry="peerscope.reproduce.protocols.masked_images:run",
    summary="MAE at three mask ratios, MAE on plain pixels and a denoising autoencoder (noise of 0.5) "
    "train on the same batches of CIFAR-10; a linear map of the frozen mean codes names the class. The "
    "steps of MAE and of SimMIM are timed by turns.",
    figures={
        "probe/*": "share of test images that a linear probe names rightly, one value a block of ten "
        "images",
        "seconds/*": "seconds that a thousand images take in training (the processor's on a CPU)",
    },
    profiles={
        "cpu": Profile(
            SMALL | {
                "images": 10_000, "batch": 32, "steps": 800, "probe_images": 3000, "test_images": 3000,
                "rounds": 5, "round_steps": 4,
            },
            seconds=1200,
        ),
        "gpu": Profile(
            LARGE | {
                "images": 25_000, "batch": 512, "steps": 700, "probe_images": 25_000, "test_images": 10_000,
                "rounds": 9, "round_steps": 5,
            },
            device="cuda", memory_mb=16_384, seconds=480,
        ),
        "tiny": Profile(
            TINY | {
                "images": 64, "batch": 16, "steps": 2, "probe_images": 40, "test_images": 40, "rounds": 1,
                "round_steps": 1,
            },
            seeds=1, seconds=60,
        ),
    },
    data=("CIFAR-10",),
)  # fmt: skip

PROBE = Protocol(
    name="masked_probe",
    version=1,
    entry="peerscope.reproduce.protocols.masked_probe:run",
    summary="One vision transformer, untrained, trained by MAE (decoder of one block, or deep), by SimMIM "
    "or by contrast (SimCLR), on CIFAR-10; read by nearest neighbours, by a linear map, and by training "
    "all weights on few labels.",
    figures={
        "knn/*": "share that 20 nearest neighbours name rightly, one value a block of ten images",
        "probe/*": "share that a linear probe names rightly, likewise",
        "few_labels/*": "share that a linear probe of few labels names rightly, likewise",
        "fine_tuned/*": "share right after training all weights on few labels, likewise",
        "gain/*": "what the deep decoder adds to the share right, in [-1, 1]",
    },
    profiles={
        "cpu": Profile(
            SMALL | {
                "images": 10_000, "batch": 32, "steps": 800, "probe_images": 3000, "test_images": 3000,
                "arms": ("random", "mae", "deep", "contrast"), "deep": 3, "pairs": 64, "contrast_steps": 200,
                "labels": 800, "tuning_passes": 8, "tuning_rate": 1e-3,
            },
            seconds=1200,
        ),
        "gpu": Profile(
            LARGE | {
                "images": 25_000, "batch": 512, "steps": 600, "probe_images": 25_000, "test_images": 10_000,
                "arms": ("random", "mae", "deep", "simmim", "heavy", "contrast"), "deep": 4, "pairs": 512,
                "contrast_steps": 600, "labels": 2500, "tuning_passes": 10, "tuning_rate": 1e-3,
            },
            device="cuda", memory_mb=16_384, seconds=480,
        ),
        "tiny": Profile(
            TINY | {
                "images": 64, "batch": 16, "steps": 1, "probe_images": 40, "test_images": 40,
                "arms": ("random", "mae", "deep", "simmim", "heavy", "contrast"), "deep": 2, "pairs": 16,
                "contrast_steps": 1, "labels": 20, "tuning_passes": 1, "tuning_rate": 1e-3,
            },
            seeds=1, seconds=60,
        ),
    },
    data=("CIFAR-10",),
)  # fmt: skip

DOMAINS = Protocol(
    name="masked_domains",
    version=1,
    entry="peerscope.reproduce.protocols.masked_domains:run",
    summary="BERT's masked words on the first words of arXiv abstracts, at 15% and at 75%, and GraphMAE "
    "on a graph of four groups (a stochastic block model with noisy features); a linear map of the codes "
    "names subject and group.",
    figures={
        "text/*": "share of abstracts whose subject (of four) a linear probe names, a value a block of ten",
        "graph/*": "share of nodes whose group (of four) a probe of a tenth of the nodes names, likewise",
    },
    profiles={
        "cpu": Profile(
            {
                "texts": 4000, "words": 24, "vocabulary": 1000, "dim": 64, "depth": 2, "batch": 64,
                "steps": 900, "rate": 1e-3, "nodes": 1200, "epochs": 200,
            }
        ),
        "gpu": Profile(
            {
                "texts": 16_000, "words": 64, "vocabulary": 8000, "dim": 128, "depth": 4, "batch": 256,
                "steps": 3000, "rate": 1e-3, "nodes": 4000, "epochs": 1000,
            },
            device="cuda", memory_mb=16_384, seconds=480,
        ),
        "tiny": Profile(
            {
                "texts": 80, "words": 8, "vocabulary": 100, "dim": 16, "depth": 1, "batch": 16, "steps": 2,
                "rate": 1e-3, "nodes": 60, "epochs": 2,
            },
            seeds=1, seconds=60,
        ),
    },
    data=("arXiv listings in computer science",),
)  # fmt: skip

REDUCED = (
    "CIFAR-10 instead of ImageNet; a transformer of width 96 and four blocks on patches of 4; 800 steps "
    "of 32 images, each seen two or three times; probes of 3,000 labels"
)
ON_GPU = "CIFAR-10 (25,000 images) instead of ImageNet; ViT-Tiny on patches of 4; 600 to 700 steps of 512"

PAPER = Paper(
    learned=(
        "A few minutes on a processor are enough to see that masked pre-training pays where labels "
        "are few (9 points fine-tuned), that leaving hidden patches out is what makes it cheap "
        "(SimMIM's step takes 2.2 times as long), that normalised pixels are the better target, and "
        "that 90 % is too much to hide. The orders that long training gave do not show yet: 25 % "
        "probes as well as 75 %, contrast trails the masks instead of leading, a deeper decoder "
        "changes nothing, and in text more hidden words are better. Those four speak of the budget as "
        "much as of the claims."
    ),
    slug="masked-autoencoders",
    title="A Survey on Masked Autoencoder for Self-supervised Learning in Vision and Beyond",
    identifiers=("arxiv:2208.00173",),
    version="arXiv 2208.00173 (2022); a shorter version is in the survey track of IJCAI 2023",
    known="The survey reports no experiments of its own. Its abstract and summaries were read, its "
    "sections could not be; the statements are those of the works that it surveys, and figures stand as "
    "printed only where the official repository, the abstract or a benchmark page of the surveyed work "
    "has them.",
    claims=(
        Claim(
            id="masked-autoencoders-1",
            learned=(
                "Fine-tuned, 800 labels give 9 points more than from random weights; a linear probe "
                "gains 2 to 6 in every seed, which three seeds cannot quite tell from chance where "
                "all 3,000 labels are used."
            ),
            statement="Masked image modelling without labels gives an encoder that transfers: with few "
            "labels a probe of it, and fine-tuning from it, beat random weights.",
            metric="share of test images named rightly",
            location="Survey's thesis; figures are those of MAE (official repository): ViT-B on ImageNet",
            reported="MAE, ViT-B: 68.0 % by a linear probe, 83.6 % fine-tuned",
            protocol="masked_probe",
            checks=(
                Check("a probe of few labels is better than on random weights",
                      "few_labels/mae", "few_labels/random"),
                Check("a probe of all labels is better", "probe/mae", "probe/random"),
                Check("fine-tuning from it is better than from random weights",
                      "fine_tuned/mae", "fine_tuned/random"),
            ),
            profiles={"cpu": f"{REDUCED}; 800 labels are few", "gpu": f"{ON_GPU}; 2,500 labels are few"},
            controls="The same encoder with random weights, probed and fine-tuned alike.",
        ),
        Claim(
            id="masked-autoencoders-2",
            learned=(
                "90 % is too much, by 5.5 points; 25 % and 75 % are alike at this size, but 25 % "
                "costs twice the time."
            ),
            statement="Images are best learned from with about three quarters of the patches hidden, more "
            "than in text, since they are redundant.",
            metric="share of test images named rightly by a linear probe",
            location="MAE's study of mask ratios, as surveyed; the figures there could not be read",
            protocol="masked_images",
            checks=(
                Check("hiding 75 % is better than 25 %", "probe/mae/0.75", "probe/mae/0.25"),
                Check("hiding 75 % is better than 90 %", "probe/mae/0.75", "probe/mae/0.9"),
            ),
            profiles={"cpu": f"{REDUCED}; the same steps for every ratio", "gpu": ON_GPU},
            controls="Every ratio sees the same batches and as many steps.",
            curve="linear probe over the share of hidden patches",
        ),
        Claim(
            id="masked-autoencoders-3",
            learned=(
                "SimMIM's step takes 2.2 times as long as MAE's at 75 %, MAE's at 25 % twice as long, "
                "at 90 % seven tenths."
            ),
            statement="An encoder that never sees hidden patches trains cheaper than one that reads a "
            "token in their places.",
            metric="seconds for a thousand images, other method over MAE at 75 %",
            location="MAE's abstract, as surveyed",
            reported="training is 3 times faster or more",
            protocol="masked_images",
            checks=(
                Check("SimMIM's step takes longer than MAE's", "seconds/simmim", "seconds/mae/0.75",
                      bound=1.0, compare="ratio"),
                Check("hiding 25 % takes longer than hiding 75 %", "seconds/mae/0.25", "seconds/mae/0.75",
                      bound=1.0, compare="ratio"),
                Check("hiding 90 % takes less", "seconds/mae/0.9", "seconds/mae/0.75",
                      relation="below", bound=1.0, compare="ratio"),
            ),
            profiles={
                "cpu": "A transformer of width 96 and four blocks on CIFAR-10 instead of ViT-L on "
                "ImageNet: what is not attention weighs more",
                "gpu": "ViT-Tiny on CIFAR-10 instead of ViT-L on ImageNet",
            },
            curve="seconds for a thousand images over the share of hidden patches",
        ),
        Claim(
            id="masked-autoencoders-4",
            learned=(
                "2.5 points better, in every seed."
            ),
            statement="To predict each patch's pixels brought to mean 0 and deviation 1 is at least as "
            "good as to predict plain pixels.",
            metric="share of test images named rightly by a linear probe",
            location="MAE, as surveyed; the figures there could not be read",
            protocol="masked_images",
            checks=(Check("normalised pixels give the better probe", "probe/mae/0.75", "probe/raw"),),
            profiles={"cpu": REDUCED, "gpu": ON_GPU},
        ),
        Claim(
            id="masked-autoencoders-5",
            learned=(
                "The other way about for the probe, which is 4 points better after MAE: 200 steps of "
                "64 pairs, as many images through the encoder as MAE's 800 of 32, are too few for "
                "contrast. Fine-tuned the masked encoder is better, as printed."
            ),
            statement="Masked models fine-tune as well as joint embedding does or better, but their frozen "
            "features trail, by a linear probe and more so by nearest neighbours.",
            metric="share of test images named rightly",
            location="lightly's benchmark table (its README): ImageNet, 100 epochs",
            reported="MAE ViT-B/16: linear 46.0, neighbours 11.2, fine-tuned 81.3 %; DINO ViT-S/16: 73.3, "
            "67.5 and 79.8 %",
            protocol="masked_probe",
            checks=(
                Check("a linear probe of the contrastive encoder is better", "probe/contrast", "probe/mae"),
                Check("its nearest neighbours are better", "knn/contrast", "knn/mae"),
                Check("fine-tuned, the masked encoder is better", "fine_tuned/mae", "fine_tuned/contrast"),
            ),
            profiles={
                "cpu": f"{REDUCED}; SimCLR on the same encoder instead of DINO, 200 steps of 64 pairs",
                "gpu": f"{ON_GPU}; SimCLR on the same encoder instead of DINO",
            },
            controls="One encoder for both; random weights beside them.",
        ),
        Claim(
            id="masked-autoencoders-6",
            learned=(
                "Three blocks instead of one change neither the probe nor fine-tuning beyond chance "
                "after 800 steps."
            ),
            statement="A light head is enough: a deeper decoder serves the linear probe more than "
            "fine-tuning (MAE), and a linear head is no worse than a heavy one (SimMIM).",
            metric="share of test images named rightly",
            location="SimMIM's abstract and official repository; MAE on its decoder, as surveyed (figures "
            "not read)",
            reported="SimMIM with a linear head, ViT-B: 83.8 % fine-tuned",
            protocol="masked_probe",
            checks=(
                Check("a deeper decoder gives the better probe", "probe/deep", "probe/mae"),
                Check("it adds more to the probe than to fine-tuning", "gain/probe", "gain/fine_tuned"),
                Check("SimMIM's linear head fine-tunes no worse than a heavy one, by a point at most",
                      "fine_tuned/simmim", "fine_tuned/heavy", bound=-0.01, profiles=("gpu",)),
            ),
            profiles={
                "cpu": f"{REDUCED}; a decoder of three blocks against one; SimMIM's head is not tried",
                "gpu": f"{ON_GPU}; a decoder of four blocks against one and against a linear head",
            },
        ),
        Claim(
            id="masked-autoencoders-7",
            learned=(
                "Hiding 75 % of the words was better in every seed, by 1 to 5 points: after 900 steps "
                "words are still guessed badly (a loss of 5.3), and more hidden words are more to "
                "learn from in a step. The default of 15 % is for long training."
            ),
            statement="The recipe carries over to other kinds of data, and how much to hide follows from "
            "their redundancy: much in images, little in text.",
            metric="share of subjects (or groups) named rightly by a linear probe",
            location="Defaults of the surveyed methods' official repositories",
            reported="hidden by default: video 90 %, audio 80 %, points 60 %, graphs 50 %",
            protocol="masked_domains",
            checks=(
                Check("masked words beat untrained weights", "text/0.15", "text/random"),
                Check("in text, hiding 15 % is better than 75 %", "text/0.15", "text/0.75"),
                Check("on a graph, hiding 50 % beats untrained weights", "graph/0.5", "graph/random"),
            ),
            profiles={
                "cpu": "The first 24 words of 4,000 abstracts and a drawn graph of 1,200 nodes; video, "
                "audio and points are not tried; the ratio for images is claim 2",
                "gpu": "The first 64 words of 16,000 abstracts and a drawn graph of 4,000 nodes; video, "
                "audio and points are not tried; the ratio for images is claim 2",
            },
            controls="The same encoders with random weights.",
        ),
        Claim(
            id="masked-autoencoders-8",
            learned=(
                "2.5 points better than noise, in every seed; three seeds cannot tell it from chance."
            ),
            statement="Hiding patches teaches more than adding noise: a masked autoencoder has better "
            "features than a denoising one.",
            metric="share of test images named rightly by a linear probe",
            location="The survey's line from denoising autoencoders to masked ones; direction only",
            protocol="masked_images",
            checks=(Check("MAE gives the better probe than noise of 0.5", "probe/mae/0.75", "probe/noise"),),
            profiles={"cpu": REDUCED, "gpu": ON_GPU},
            controls="Both predict normalised pixels from the same batches.",
        ),
    ),
    protocols=(IMAGES, PROBE, DOMAINS),
)  # fmt: skip

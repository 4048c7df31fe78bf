"""The masked recipe on words and on graphs: probes of codes over mask ratios, beside untrained weights."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np
import torch
from torch import Tensor

from peerscope.methods.batches import Batches
from peerscope.methods.evaluate import features, logistic_probe
from peerscope.methods.masked import Graph, graph_mae, masked_words
from peerscope.methods.masked.maskers import RandomMasker
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.masked_autoencoders import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.masked_training import DECAY, correct, trained
from peerscope.reproduce.protocols.shared_files import objects, shared

SUBJECTS = ("cs.CV", "cs.CL", "cs.LG", "cs.AI")
PAD, MASK, UNKNOWN = 0, 1, 2
TEXT_RATIOS = (0.15, 0.75)
GRAPH_RATIOS = (0.5, 0.9)


def run(trial: Trial) -> None:
    """Train on abstracts and on a graph of groups; probe subjects and groups."""
    prepared(trial)
    words, subjects = _abstracts(trial)
    half = len(words) // 2
    for arm in ("random", *TEXT_RATIOS):
        torch.manual_seed(trial.seed)
        method = masked_words(
            int(trial["vocabulary"]),
            MASK,
            padding=PAD,
            special=(UNKNOWN,),
            longest=words.shape[1],
            dim=int(trial["dim"]),
            depth=int(trial["depth"]),
            masker=RandomMasker(arm if isinstance(arm, float) else 0.15, rounding="nearest"),
        )
        if arm != "random":
            given = Batches(words, int(trial["batch"]), seed=trial.seed)
            trained(trial, f"text/{arm}", method, given, int(trial["steps"]))
        codes = features(method.to(trial.device).backbone(), words)
        probe = logistic_probe(codes[:half], subjects[:half], decay=DECAY)
        _told(trial, f"text/{arm}", correct(probe.logits(codes[half:]).argmax(1), subjects[half:]))
    for kind in ("random", *GRAPH_RATIOS):
        _graph_arm(trial, kind)


def _told(trial: Trial, name: str, blocks: list[float]) -> None:
    trial.figure(name, blocks)
    trial.log(f"{name}: {100 * sum(blocks) / len(blocks):.2f} % right")


def _abstracts(trial: Trial) -> tuple[Tensor, Tensor]:
    """Numbers of the first words of abstracts, as many of each subject, and their subjects, in one order."""
    each, longest = int(trial["texts"]) // len(SUBJECTS), int(trial["words"])
    found: defaultdict[str, list[list[str]]] = defaultdict(list)
    for work in objects(shared("scholarly", "arxiv_cs_2025_2026.jsonl.zst")):
        subject = work["primary_category"]
        if subject in SUBJECTS and len(found[subject]) < each:
            found[subject].append(re.findall(r"[a-z]+", work["abstract"].lower())[:longest])
            if all(len(found[one]) == each for one in SUBJECTS):
                break
    texts = [text for subject in SUBJECTS for text in found[subject]]
    labels = np.repeat(np.arange(len(SUBJECTS)), [len(found[subject]) for subject in SUBJECTS])
    counts = Counter(word for text in texts for word in text)
    most = int(trial["vocabulary"]) - UNKNOWN - 1
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    number = {word: place for place, word in enumerate(ranked, UNKNOWN + 1)}
    rows = np.full((len(texts), longest), PAD, np.int64)
    for row, text in enumerate(texts):
        rows[row, : len(text)] = [number.get(word, UNKNOWN) for word in text]
    trial.data(f"{len(texts)} abstracts of computer science", rows, labels)
    order = np.random.default_rng((trial.seed, 2)).permutation(len(texts))
    device = trial.device
    return torch.from_numpy(rows[order]).to(device), torch.from_numpy(labels[order]).to(device)


def _graph_arm(trial: Trial, arm: str | float) -> None:
    """GraphMAE on a stochastic block model, or its weights untrained; a probe of the groups."""
    graph, groups = _groups(trial)
    torch.manual_seed(trial.seed)
    ratio = arm if isinstance(arm, float) else 0.5
    method = graph_mae(graph.features.shape[1], dim=64, kind="convolution", ratio=ratio)
    method.to(trial.device)
    if arm != "random":
        optimizer = torch.optim.Adam(method.parameters(), 1e-3)
        for epoch in range(int(trial["epochs"])):
            loss, _ = method(graph)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            trial.progress(f"graph/{arm}", epoch + 1, int(trial["epochs"]))
    with torch.no_grad():
        codes = method.encode(graph)
    seen = torch.arange(len(groups), device=codes.device) % 10 == 0
    probe = logistic_probe(codes[seen], groups[seen], decay=DECAY)
    _told(trial, f"graph/{arm}", correct(probe.logits(codes[~seen]).argmax(1), groups[~seen]))


def _groups(trial: Trial) -> tuple[Graph, Tensor]:
    """Nodes of four groups that hold together and share noisy features, and the group of each."""
    chance = torch.Generator().manual_seed(trial.seed)
    number = int(trial["nodes"])
    groups = torch.randint(4, (number,), generator=chance)
    means = torch.randn(4, 32, generator=chance)
    noisy = 0.35 * means[groups] + torch.randn(number, 32, generator=chance)
    alike = groups[:, None] == groups[None, :]
    likely = torch.where(alike, 8.0 / number, 3.0 / number)
    drawn = torch.rand(number, number, generator=chance) < likely
    graph = Graph.undirected(noisy.to(trial.device), drawn.nonzero().T.to(trial.device))
    return graph, groups.to(trial.device)


if __name__ == "__main__":
    main(PAPER, "masked_domains")

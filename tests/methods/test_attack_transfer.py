from __future__ import annotations

from functools import partial

import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from torch import nn  # noqa: E402

from peerscope.methods.attacks import (  # noqa: E402
    InputDiversity,
    LinfAttack,
    evaluate_transfer,
    interest_class_rank,
    margin,
)

CLASSES = 6


def blobs(n=150, seed=0):
    """Noisy greyscale images of six patterns."""
    generator = torch.Generator().manual_seed(7)
    centres = torch.rand(CLASSES, 1, 6, 6, generator=generator)
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=draw)
    noise = 0.35 * torch.randn(n, 1, 6, 6, generator=draw)
    return (centres[labels] + noise).clamp(0, 1), labels


def fitted(seed, *layers) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(*layers)
    images, labels = blobs(400, seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def models():
    flat = fitted(0, nn.Flatten(), nn.Linear(36, CLASSES))
    deep = fitted(
        1, nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, CLASSES)
    )
    return {"flat": flat, "deep": deep}


ATTACKS = {
    "fgsm": partial(LinfAttack, eps=0.15, steps=1),
    "i-fgsm": partial(LinfAttack, eps=0.15, steps=5, diversity=InputDiversity(0.5)),
}


def test_the_table_holds_every_cell_and_its_numbers(models) -> None:
    images, labels = blobs()
    losses = ["ce", "rce", margin]
    table = evaluate_transfer(
        models, models, ATTACKS, losses, images, labels, ks=(1, 2, 6), batch_size=64
    )
    assert len(table.rows) == 2 * 2 * 3 * 2
    right = {name: model.eval()(images).argmax(dim=1) == labels for name, model in models.items()}
    both = right["flat"] & right["deep"]
    assert 0 < int(both.sum()) < len(images)
    for row in table.rows:
        assert row.images == int(both.sum()) == len(row.ranks)
        assert row.clean_accuracy == pytest.approx(float(right[row.target].double().mean()))
        assert row.white_box == (row.source == row.target)
        assert set(row.success) == {1, 2}
        for k, value in row.success.items():
            assert value == pytest.approx(float((row.ranks > k).double().mean()))
        assert row.mean_rank == pytest.approx(float(row.ranks.double().mean()))
    # One cell by hand.
    attack = LinfAttack(models["flat"], "rce", eps=0.15, steps=1)
    attacked = attack(images[both], labels[both])
    ranks = interest_class_rank(models["deep"].eval()(attacked), labels[both])
    assert torch.equal(table.cell("flat", "fgsm", "rce", "deep").ranks, ranks)
    assert table.cell("flat", "fgsm", "cw", "flat").success[1] > 0.3
    lines = table.markdown().splitlines()
    assert len(lines) == 2 + len(table.rows)
    assert "| flat* |" in lines[2] and "cross_entropy" in lines[2]
    with pytest.raises(ValueError, match="no cell"):
        table.cell("flat", "pgd", "rce", "deep")


def test_the_images_judged_are_a_choice(models) -> None:
    images, labels = blobs()
    right = {name: model.eval()(images).argmax(dim=1) == labels for name, model in models.items()}
    counts = {
        judged: evaluate_transfer(
            {"flat": models["flat"]}, models, {"fgsm": ATTACKS["fgsm"]}, ["ce"], images, labels, judged=judged,
        ).rows[0].images
        for judged in ("correct", "source", "all")
    }  # fmt: skip
    assert counts == {
        "correct": int((right["flat"] & right["deep"]).sum()),
        "source": int(right["flat"].sum()),
        "all": len(images),
    }


def test_targeted_attacks_lower_the_rank_of_their_goal(models) -> None:
    images, labels = blobs()
    goals = (labels + 1) % CLASSES
    attacks = {"targeted": partial(LinfAttack, eps=0.3, alpha=0.05, steps=10, targeted=True)}
    table = evaluate_transfer(
        models, models, attacks, ["rce"], images, labels, goals=goals, ks=(1, 3)
    )
    row = table.cell("deep", "targeted", "rce", "deep")
    assert row.success[1] == pytest.approx(float((row.ranks == 1).double().mean()))
    assert row.success[1] > 0.5 and row.success[3] >= row.success[1]


def test_the_same_seed_gives_the_same_table(models) -> None:
    images, labels = blobs(60)
    attacks = {"pgd": partial(LinfAttack, eps=0.15, steps=3, random_start=True)}
    tables = [
        evaluate_transfer(models, models, attacks, ["ce", "ce"], images, labels, seed=seed)
        for seed in (1, 1, 2)
    ]
    first, again, other = ([row.ranks for row in table.rows] for table in tables)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    # Losses of one attack are compared on the same draws.
    assert torch.equal(first[0], first[2])


def test_bad_input_is_named(models) -> None:
    images, labels = blobs(30)
    arguments = models, models, ATTACKS, ["ce"], images, labels
    with pytest.raises(ValueError, match="correct, source, all, not 'both'"):
        evaluate_transfer(*arguments, judged="both")
    with pytest.raises(ValueError, match="true class"):
        evaluate_transfer(*arguments, goals=labels)
    with pytest.raises(ValueError, match="targeted attacks need goals"):
        evaluate_transfer(*arguments, goals=(labels + 1) % CLASSES)
    wrong = {
        "wrong": lambda x: nn.functional.one_hot((labels[: len(x)] + 1) % CLASSES, CLASSES).float()
    }
    with pytest.raises(ValueError, match="No image is left"):
        evaluate_transfer(wrong, models, ATTACKS, ["ce"], images, labels)

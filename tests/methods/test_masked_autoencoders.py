from __future__ import annotations

import copy
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.masked import (  # noqa: E402
    Graph,
    MaskedAutoencoder,
    beit,
    data2vec,
    denoising,
    graph_mae,
    ibot,
    mae,
    mask_feat,
    masked_words,
    simmim,
)
from peerscope.methods.masked.corruptions import GaussianNoise, LeaveOut, MaskToken  # noqa: E402
from peerscope.methods.masked.distances import (  # noqa: E402
    AbsoluteError,
    CrossEntropy,
    SquaredError,
)
from peerscope.methods.masked.maskers import (  # noqa: E402
    BlockMasker,
    RandomMasker,
    SpanMasker,
    TubeMasker,
)
from peerscope.methods.masked.targets import CodebookTokens, OrientedGradients, Target  # noqa: E402
from peerscope.methods.masked.towers import (  # noqa: E402
    LinearDecoder,
    TransformerDecoder,
    TransformerEncoder,
    pick,
    put_back,
)
from peerscope.methods.masked.units import Patches, Words  # noqa: E402
from peerscope.methods.transformer import patchify, sincos_positions  # noqa: E402

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")


def seeded(seed: int = 0):
    return torch.Generator().manual_seed(seed)


def pictures(number: int = 3, channels: int = 1, side: int = 16, seed: int = 0):
    return torch.rand((number, channels, side, side), generator=seeded(seed))


def sentences():
    words = torch.randint(4, 40, (3, 24), generator=seeded())
    words[:, 0] = 1
    words[1, 15:] = 0
    return words


def network():
    edges = torch.randint(30, (2, 60), generator=seeded(1))
    return Graph.undirected(torch.randn(30, 8, generator=seeded(2)), edges)


SMALL = {"dim": 24, "depth": 2, "heads": 2}


def codebook():
    return CodebookTokens.fitted(pictures(20), 4, 6, steps=3, generator=seeded())


METHODS = {
    "mae": lambda: mae(4, 1, **SMALL, decoder_dim=16, decoder_heads=2),
    "simmim": lambda: simmim(4, 1, **SMALL),
    "denoising": lambda: denoising(4, 1, **SMALL),
    "beit": lambda: beit(codebook(), 4, 1, **SMALL),
    "mask_feat": lambda: mask_feat(4, 1, **SMALL),
    "data2vec": lambda: data2vec(4, 1, **SMALL),
    "ibot": lambda: ibot(4, 1, **SMALL, classes=10, masker=BlockMasker(0.4)),
    "masked_words": lambda: masked_words(40, 3, padding=0, special=(1, 2), longest=32, **SMALL),
    "graph_mae": lambda: graph_mae(8, dim=12, heads=2),
}
UNSHOWN = {"mask_feat", "data2vec", "ibot"}


def batch_for(name: str):
    return {"masked_words": sentences, "graph_mae": network}.get(name, pictures)()


def made(name: str):
    torch.manual_seed(0)
    return METHODS[name]()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_a_loss_that_reaches_all_that_is_trained(name) -> None:
    method, batch = made(name), batch_for(name)
    loss, parts = method(batch, generator=seeded())
    assert loss.dim() == 0
    assert torch.isfinite(loss)
    assert float(parts["loss"]) == float(loss.detach())
    assert 0 < float(parts["hidden"]) <= 1
    assert not any(part.requires_grad for part in parts.values())
    loss.backward()
    for label, part in method.named_parameters():
        assert (part.grad is not None) == part.requires_grad, label
        assert part.requires_grad == (not label.startswith("target.")), label
    before = copy.deepcopy(method.target.state_dict())
    torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.1).step()
    method.after_step(1, 10)
    after = method.target.state_dict()
    moved = any(not torch.equal(before[key], after[key]) for key in before)
    assert moved == (name in {"data2vec", "ibot"})


@pytest.mark.parametrize("name", METHODS)
def test_the_generator_alone_decides(name) -> None:
    method, batch = made(name), batch_for(name)
    losses = []
    for world, seed in [(1, 5), (2, 5), (3, 6)]:
        torch.manual_seed(world)
        losses.append(float(method(batch, generator=seeded(seed))[0].detach()))
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.parametrize("name", sorted(set(METHODS) - UNSHOWN))
def test_a_reconstruction_is_the_callers_to_repeat(name) -> None:
    method, batch = made(name).train(), batch_for(name)
    method.decoder.eval()
    first = method.reconstruct(batch, generator=seeded(1))
    torch.manual_seed(7)
    again = method.reconstruct(batch, generator=seeded(1))
    for part in ("mask", "loss", "predicted", "filled", "shown"):
        assert torch.equal(getattr(first, part), getattr(again, part))
    other = method.reconstruct(batch, generator=seeded(2))
    assert not torch.equal(first.loss, other.loss)
    values = batch.features if name == "graph_mae" else batch
    assert first.filled.shape == first.shown.shape == values.shape
    assert method.training
    assert not method.decoder.training
    assert not first.loss.requires_grad


@pytest.mark.parametrize("name", sorted(UNSHOWN))
def test_what_cannot_be_shown_says_so(name) -> None:
    with pytest.raises(ValueError, match="cannot be turned back"):
        made(name).reconstruct(batch_for(name))


@pytest.mark.parametrize("name", METHODS)
def test_codes_are_read_without_a_mask_and_without_chance(name) -> None:
    method, batch = made(name), batch_for(name)
    state = torch.get_rng_state()
    codes = method.encode(batch)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(method.encode(batch), codes)
    if name == "graph_mae":
        assert codes.shape == (30, method.dim)
        return
    assert codes.shape[0] == 3
    assert codes.shape[2] == method.dim
    mean = method.encode(batch, pool="mean")
    assert torch.equal(method.backbone()(batch), mean)
    if name == "masked_words":
        torch.testing.assert_close(mean[1], codes[1, :15].mean(dim=0))
        with pytest.raises(ValueError, match="no summary token"):
            method.encode(batch, pool="summary")
    else:
        torch.testing.assert_close(mean, codes.mean(dim=1))
        assert method.encode(batch, pool="summary").shape == (3, method.dim)


def test_a_backbone_is_the_encoder_itself() -> None:
    method = made("mae")
    backbone = method.backbone("summary")
    assert backbone.dim == 24
    assert list(backbone.blocks) == list(method.encoder.blocks)
    assert {id(p) for p in backbone.parameters()} == {id(p) for p in method.encoder.parameters()}
    apart = copy.deepcopy(backbone)
    with torch.no_grad():
        apart.encoder.summary.add_(1.0)
    batch = pictures()
    assert not torch.equal(apart(batch), backbone(batch))
    backbone(batch).sum().backward()
    assert method.encoder.embedding.weight.grad is not None


@settings(deadline=None, max_examples=30)
@given(number=st.integers(1, 4), length=st.integers(2, 20), data=st.data())
def test_putting_back_undoes_picking(number, length, data) -> None:
    kept_number = data.draw(st.integers(1, length))
    tokens = torch.randn(number, length, 3)
    kept = torch.rand(number, length).argsort(dim=1)[:, :kept_number]
    fill = torch.tensor([9.0, 8.0, 7.0])
    found = put_back(pick(tokens, kept), kept, fill, length)
    for row in range(number):
        for place in range(length):
            inside = place in kept[row].tolist()
            assert torch.equal(found[row, place], tokens[row, place] if inside else fill)


def test_mae_gives_its_encoder_the_visible_patches_only() -> None:
    method, batch = made("mae"), pictures(2)
    lengths = []
    hook = method.encoder.blocks[0].register_forward_hook(
        lambda module, inputs, out: lengths.append(inputs[0].shape[1])
    )
    method(batch)
    hook.remove()
    assert lengths == [1 + int(16 * (1 - 0.75))]
    mask = torch.ones(2, 16, dtype=torch.bool)
    mask[:, :5] = False
    moved = batch.clone()
    hidden = patchify(torch.ones_like(batch), 4) * mask[:, :, None]
    moved = moved + Patches(4).join(hidden * 3, Patches(4).split(batch))
    first, second = (method.reconstruct(b, mask=mask, generator=seeded()) for b in (batch, moved))
    # plain differences: the prediction before it is brought back to the patch's own mean and contrast
    raw = [method._predicted(Patches(4).split(b), mask, None)[2] for b in (batch, moved)]
    assert torch.equal(raw[0], raw[1])
    assert torch.equal(first.shown, second.shown)


def test_mae_is_its_definition_step_by_step() -> None:
    """Shuffled order, positions before hiding, zero position of the summary, loss on hidden patches."""
    method = made("mae").double()
    batch = pictures(2).double()
    encoder, decoder = method.encoder, method.decoder
    order = torch.rand(2, 16).argsort(dim=1)
    kept, restore = order[:, :4], order.argsort(dim=1)
    mask = torch.ones(2, 16, dtype=torch.bool).scatter(1, kept, False)
    tokens = encoder.embedding(patchify(batch, 4)) + sincos_positions((4, 4), 24).double()
    tokens = torch.stack([tokens[row, kept[row]] for row in range(2)])
    codes = torch.cat([encoder.summary.expand(2, 1, -1), tokens], dim=1)
    for block in encoder.blocks:
        codes = block(codes)
    codes = decoder.enter(encoder.norm(codes))
    full = torch.cat([codes[:, 1:], decoder.token.expand(2, 12, -1)], dim=1)
    full = torch.stack([full[row, restore[row]] for row in range(2)])
    full = full + sincos_positions((4, 4), 16).double()
    full = torch.cat([codes[:, :1], full], dim=1)
    for block in decoder.blocks:
        full = block(full)
    predicted = decoder.leave(decoder.norm(full))[:, 1:]
    target = patchify(batch, 4)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6) ** 0.5
    each = ((predicted - target) ** 2).mean(dim=-1)
    loss, _ = method(batch, mask=mask)
    torch.testing.assert_close(loss, (each * mask).sum() / mask.sum())


def test_the_loss_of_mae_does_not_see_visible_patches() -> None:
    method = made("mae")
    seen = []

    def keep(module, inputs, out) -> None:
        out.retain_grad()
        seen.append(out)

    method.decoder.register_forward_hook(keep)
    mask = RandomMasker()(3, (4, 4), generator=seeded())
    method(pictures(), mask=mask)[0].backward()
    assert (seen[0].grad[~mask] == 0).all()
    assert (seen[0].grad[mask].abs().sum(dim=-1) > 0).all()


def test_simmims_linear_head_is_a_convolution_and_a_pixel_shuffle() -> None:
    torch.manual_seed(0)
    head = LinearDecoder(8, 4 * 4 * 3)
    codes = torch.randn(2, 6, 8)
    form = Patches(4)
    units = form.split(torch.zeros(2, 3, 8, 12))
    ours = form.join(head(codes, units, None, None), units)
    convolution = torch.nn.Conv2d(8, 48, 1)
    # the shuffle wants channels first within a patch, patches here have them last
    order = torch.arange(48).reshape(4, 4, 3).permute(2, 0, 1).flatten()
    with torch.no_grad():
        convolution.weight.copy_(head.leave.weight[order][:, :, None, None])
        convolution.bias.copy_(head.leave.bias[order])
    images = codes.transpose(1, 2).reshape(2, 8, 2, 3)
    torch.testing.assert_close(ours, torch.nn.PixelShuffle(4)(convolution(images)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (8, 24), (28, 28)])
@pytest.mark.parametrize("make", [mae, simmim, denoising, data2vec])
def test_sizes_channels_and_single_images(make, size, channels) -> None:
    torch.manual_seed(0)
    method = make(4, channels, **SMALL)
    if make is simmim:
        method.masker = RandomMasker(0.6, rounding="up")
    batch = torch.rand(1, channels, *size)
    loss, _ = method(batch)
    loss.backward()
    assert torch.isfinite(loss)
    assert method.encode(batch).shape == (1, size[0] * size[1] // 16, 24)
    with pytest.raises(ValueError, match="does not divide into patches"):
        method(torch.rand(1, channels, 30, 32))
    with pytest.raises(ValueError, match=r"images.float\(\) / 255"):
        method(torch.zeros(1, channels, *size, dtype=torch.uint8))


def test_sound_and_video_are_images_with_other_axes() -> None:
    torch.manual_seed(0)
    video = mae(
        (2, 4, 4), 3, **SMALL, decoder_dim=24, axes=3, masker=TubeMasker(RandomMasker(0.75))
    )
    clip = torch.rand(2, 3, 4, 16, 16)
    found = video.reconstruct(clip, generator=seeded())
    assert found.filled.shape == clip.shape
    assert (found.mask.reshape(2, 2, 16)[:, 0] == found.mask.reshape(2, 2, 16)[:, 1]).all()
    sound = mae(8, 1, **SMALL, axes=1, masker=SpanMasker(0.5))
    assert sound.reconstruct(torch.rand(2, 1, 64)).filled.shape == (2, 1, 64)


def test_choices_that_do_not_go_together_are_refused() -> None:
    method = made("mae")
    parts = {
        "masker": RandomMasker(), "encoder": method.encoder, "decoder": method.decoder,
        "target": Target(), "distance": SquaredError(),
    }  # fmt: skip
    with pytest.raises(ValueError, match="the answer would lie open"):
        MaskedAutoencoder(Patches(4), corruption=LeaveOut(), entering="all", **parts)
    with pytest.raises(ValueError, match="do not enter the encoder"):
        MaskedAutoencoder(Patches(4), corruption=MaskToken(24), entering="visible", **parts)
    parts["decoder"] = LinearDecoder(24, 16, 1)
    with pytest.raises(ValueError, match="nothing to put where no unit entered"):
        MaskedAutoencoder(Patches(4), corruption=LeaveOut(), entering="visible", **parts)
    batch = pictures(40)
    with pytest.raises(ValueError, match="different numbers"):
        mae(4, 1, **SMALL, masker=BlockMasker())(pictures(40, side=56), generator=seeded())
    for fill in (True, False):
        with pytest.raises(ValueError, match="some to read and some to predict"):
            method(batch, mask=torch.full((40, 16), fill))
    for mask in (torch.zeros(40, 16), torch.zeros(40, 9, dtype=torch.bool)):
        with pytest.raises(ValueError, match="must be bool"):
            method(batch, mask=mask)
    with pytest.raises(ValueError, match="more than the 32 learned positions"):
        made("masked_words").encode(torch.ones(1, 33, dtype=torch.long))


def test_a_visible_only_encoder_can_read_noise() -> None:
    """Choices combine: hidden patches left out, and here all of them noisy besides."""
    torch.manual_seed(0)
    method = mae(4, 1, **SMALL, masker=BlockMasker(0.5, exact=True), target=Target())
    method.corruption = GaussianNoise(0.1)
    assert torch.isfinite(method(pictures())[0])


def test_hidden_words_are_no_starts_and_no_padding_and_padding_changes_nothing() -> None:
    method, batch = made("masked_words"), sentences()
    found = method.reconstruct(batch, generator=seeded())
    assert not (found.mask & ((batch == 0) | (batch == 1))).any()
    assert found.mask.sum(dim=1).tolist() == [3, 2, 3]
    assert torch.equal(found.filled[~found.mask], batch[~found.mask])
    torch.testing.assert_close(method.encode(batch)[1, :15], method.encode(batch[1:2, :15])[0])
    assert (found.shown[found.mask] != batch[found.mask]).any()
    assert torch.equal(found.shown[~found.mask], batch[~found.mask])
    batch[2] = 0
    loss, _ = method(batch)
    assert torch.isfinite(loss)
    assert torch.isfinite(method.encode(batch, pool="mean")).all()
    spans = masked_words(40, 3, padding=0, special=(1,), masker=SpanMasker(0.3), **SMALL)
    assert torch.isfinite(spans(batch)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", METHODS)
def test_half_precision(name, dtype) -> None:
    method, batch = made(name), batch_for(name)
    exact = float(method(batch, generator=seeded())[0].detach())
    with torch.autocast("cpu", dtype):
        loss, _ = method(batch, generator=seeded())
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(exact, rel=0.05)
    loss.backward()
    method = method.to(dtype)
    if name == "graph_mae":
        batch = Graph(batch.features.to(dtype), batch.edges)
    elif name != "masked_words":
        batch = batch.to(dtype)
    loss, _ = method(batch, generator=seeded())
    assert float(loss.detach()) == pytest.approx(exact, rel=0.1)


def test_one_graph_under_torch_compile() -> None:
    """Traced whole: no break, the same loss and gradient. The backend is the tracer's own, which needs no compiler."""
    method, batch = made("mae"), pictures()
    compiled = torch.compile(method, backend="aot_eager", fullgraph=True)
    torch.manual_seed(1)
    plain, _ = method(batch)
    plain.backward()
    wanted = method.encoder.embedding.weight.grad.clone()
    method.zero_grad()
    torch.manual_seed(1)
    loss, _ = compiled(batch)
    loss.backward()
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(method.encoder.embedding.weight.grad, wanted, atol=1e-6, rtol=1e-4)


def real_images(number: int):
    if not FASHION.exists():
        pytest.skip("Fashion-MNIST is not here: apt-get install dataset-fashion-mnist")
    with gzip.open(FASHION) as file:
        raw = np.frombuffer(file.read(16 + number * 784), np.uint8, offset=16)
    return torch.tensor(raw.reshape(number, 1, 28, 28) / 255.0, dtype=torch.float32)


@pytest.mark.parametrize("make", [mae, simmim])
def test_a_short_training_on_real_images_beats_the_mean_patch(make) -> None:
    """Plain pixels. The baseline knows the mean patch of the training images at each place."""
    images = real_images(2112)
    train, test = images[:2048], images[2048:]
    torch.manual_seed(0)
    extra = {"target": Target()} if make is mae else {"masker": RandomMasker(0.6, rounding="up")}
    method = make(4, 1, dim=64, depth=2, heads=4, **extra)
    steps, rate = 120, 8e-3
    optimizer = torch.optim.AdamW(method.parameters(), rate, betas=(0.9, 0.95), weight_decay=0.05)
    generator = seeded(1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 10) * (1 - step / steps)
        start = step * 32 % len(train)
        loss, _ = method(train[start : start + 32], generator=generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = method.reconstruct(test, generator=seeded(2))
    target = patchify(test, 4)

    def error(predicted) -> float:
        return float((predicted - target).square().mean(dim=-1)[found.mask].mean())

    own = error(patchify(found.predicted, 4))
    assert own < 0.92 * error(patchify(train, 4).mean(dim=0))
    assert own < 0.7 * error(patchify(train, 4).mean(dim=(0, 1)))


def test_what_is_shown_is_what_the_encoder_had() -> None:
    batch = pictures()
    found = made("mae").reconstruct(batch, generator=seeded())
    shown = patchify(found.shown, 4)
    assert (shown[found.mask] == 0).all()
    assert torch.equal(shown[~found.mask], patchify(batch, 4)[~found.mask])
    noisy = made("denoising").reconstruct(batch, generator=seeded())
    assert float((noisy.shown - batch).std()) == pytest.approx(0.5, rel=0.1)
    assert torch.equal(noisy.filled, noisy.predicted)


def test_words_too_can_be_left_out() -> None:
    """The choices are apart from the kind of data: MAE's for a text."""
    torch.manual_seed(0)
    encoder = TransformerEncoder(torch.nn.Embedding(40, 24), 24, 2, 2, summary=False)
    method = MaskedAutoencoder(
        Words(),
        masker=SpanMasker(0.25),
        corruption=LeaveOut(),
        entering="visible",
        encoder=encoder,
        decoder=TransformerDecoder(24, 16, 1, 2, 40, prefix=0),
        target=Target(),
        distance=CrossEntropy(),
    )
    batch = torch.randint(4, 40, (3, 24), generator=seeded())
    lengths = []
    encoder.register_forward_hook(lambda m, i, out: lengths.append(out.shape[1]))
    loss, _ = method(batch, generator=seeded())
    assert lengths == [18]
    assert torch.isfinite(loss)
    assert torch.equal(
        method.reconstruct(batch, generator=seeded()).mask,
        SpanMasker(0.25)(
            3, (24,), eligible=torch.ones(3, 24, dtype=torch.bool), generator=seeded()
        ),
    )


@pytest.mark.parametrize("make", [mae, simmim])
def test_targets_and_distances_are_exchanged_by_name(make) -> None:
    torch.manual_seed(0)
    batch = pictures()
    assert torch.isfinite(make(4, 1, **SMALL, target=OrientedGradients(4))(batch)[0])
    method = make(4, 1, **SMALL, target=codebook())
    method.distance = CrossEntropy()
    loss, _ = method(batch)
    assert torch.isfinite(loss)
    assert method.reconstruct(batch).filled.shape == batch.shape
    assert isinstance(simmim(4, 1, **SMALL, distance=SquaredError()).distance, SquaredError)
    assert isinstance(simmim(4, 1, **SMALL).distance, AbsoluteError)
    with pytest.raises(ValueError, match="none, mean or summary"):
        method.encode(batch, pool="max")

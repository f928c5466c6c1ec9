"""Train the autoencoder of `builtin:faces64`: 64x64x3 pictures to 8x8x12 latents and back.

    python recipes/autoencoder.py --data FAIRFACE64 --work build/train

Needs WORK/faces64-classifier (recipes/classifier.py), whose inner layers judge what a face keeps.
Ends with WORK/faces64/vae in the layout of diffusers' AutoencoderTiny.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from fairaudit.classifiers.facenet import FaceNet
from torch import Tensor

from classifier import to_tensor
from faces import VALUES, Faces, load_faces
from training import Average, Checkpoint, arguments, autocast, batches, load_weights, log, one_cycle

LEARNING_RATE = 2e-3
FEATURES = 0.15
COLOUR = 0.3
SPREAD = 0.05
LATENT_NOISE = 0.1
"""Noise on the latent, so that small errors of the diffusion model do not show."""


def build() -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=(48, 48, 48, 48),
        decoder_block_out_channels=(48, 48, 48, 48),
        num_encoder_blocks=(0, 1, 2, 3),
        num_decoder_blocks=(4, 4, 3, 1),
        latent_channels=12,
        scaling_factor=1.0,
        force_upcast=False,
    )


def main() -> None:
    options = arguments(__doc__ or "", steps=2600, batch=32).parse_args()
    device = options.device
    torch.manual_seed(options.seed)
    train, held_out = load_faces(options.data, "train"), load_faces(options.data, "held_out")
    judge = load_judge(options.work, device)
    net = build().to(device, memory_format=torch.channels_last)
    average = Average(net, 0.998)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    learners = {"net": net, "optimizer": optimizer}
    checkpoint = Checkpoint(options.work / "autoencoder.pt", average, learners)
    start = checkpoint.resume()
    rows = batches(len(train), options.batch, options.seed, start)
    began = time.time()
    for step in range(start, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, options.steps, warmup=100)
        images = to_tensor(train.images[next(rows).numpy()], device)
        images = images.flip(3) if step % 2 else images
        with autocast(device):
            latents = net.encoder(images)
            chance = torch.Generator().manual_seed(options.seed + step)
            noisy = latents + LATENT_NOISE * torch.randn(latents.shape, generator=chance).to(device)
            rebuilt = net.decoder(noisy)
            features = feature_distance(judge, images, rebuilt)[0]
        loss = (rebuilt.float() - images).abs().mean() + FEATURES * features
        loss = loss + COLOUR * colour_loss(images, rebuilt) + SPREAD * spread(latents.float())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net)
        if (step + 1) % 300 == 0 or step + 1 == options.steps:
            row = {"step": step + 1, "loss": loss.item(), "seconds": round(time.time() - began)}
            log(options.work, "autoencoder", row | fidelity(average.module, held_out, device))
            checkpoint.keep(step + 1)
    finish(average.module, held_out, options.work / "faces64", device)


def load_judge(work: Path, device: str) -> FaceNet:
    """The trained classifier, frozen."""
    judge = FaceNet({name: len(values) for name, values in VALUES.items()})
    load_weights(judge, work / "faces64-classifier" / "model.safetensors")
    return judge.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


def feature_distance(judge: FaceNet, images: Tensor, rebuilt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far the classifier's activations at 32, 16, 8 and 4 pixels are, relative to their size; and its
    last features (n, 256, 4, 4) of both.
    """
    distances = []
    for index, layer in enumerate(judge.body):
        images, rebuilt = layer(images), layer(rebuilt)
        if index in (1, 4, 7, 9):
            distances.append((images - rebuilt).abs().mean() / images.abs().mean())
    return torch.stack(distances).float().mean(), images, rebuilt


def meaning_distance(wanted: Tensor, found: Tensor) -> Tensor:
    """Mean squared distance of last features, pooled, which no Frechet distance on them exceeds."""
    return (wanted.float() - found.float()).mean((2, 3)).square().sum(1).mean()


def colour_loss(images: Tensor, rebuilt: Tensor) -> Tensor:
    """Squared error of the mean colours of 8x8 fields along each axis of colour, in units of its variance.

    An axis that is lost costs a third, however little faces vary along it. Absolute errors hardly ask for
    more than light and the axis from blue to orange: green and magenta came back as grey.
    """
    wanted, found = (F.avg_pool2d(p.float(), 8).movedim(1, 3).reshape(-1, 3) for p in (images, rebuilt))
    with torch.autocast(images.device.type, enabled=False):  # eigenvalues have no bfloat16
        variances, axes = torch.linalg.eigh(wanted.T.cov())
        return (((found - wanted) @ axes).square() / variances).mean()


def spread(latents: Tensor) -> Tensor:
    """How far the latent channels are from mean 0 and variance 1, what diffusion expects of them."""
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    return mean.square().mean() + (std - 1).square().mean()


@torch.no_grad()
def fidelity(net: AutoencoderTiny, faces: Faces, device: str) -> dict[str, float]:
    """How well 500 pictures come back, without latent noise.

    ``psnr``: peak signal-to-noise ratio in dB, mean over the pictures; ``orange to blue`` and ``green to
    magenta``: correlation of the mean colours of 16x16 fields along the two axes of their chroma.
    """
    images = to_tensor(faces.images[:500], device)
    rebuilt = torch.cat([net.decoder(net.encoder(part)) for part in images.split(100)]).clamp(-1, 1)
    error = ((rebuilt - images) / 2).square().mean((1, 2, 3))
    wanted, found = (chroma(F.avg_pool2d(pictures, 16)) for pictures in (images, rebuilt))
    axes = torch.linalg.eigh(wanted.T.cov())[1].flip(1)[:, :2]  # without grey, which has no variance
    kept = [float(torch.corrcoef(torch.stack([wanted @ a, found @ a]))[0, 1]) for a in axes.T]
    decibels = float((-10 * error.log10()).mean())
    return {"psnr": decibels, "orange to blue": kept[0], "green to magenta": kept[1]}


def chroma(pictures: Tensor) -> Tensor:
    """Colours (n, 3) of all pixels, without their lightness."""
    colours = pictures.movedim(1, 3).reshape(-1, 3)
    return colours - colours.mean(1, keepdim=True)


def finish(net: AutoencoderTiny, held_out: Faces, folder: Path, device: str) -> None:
    """Write the autoencoder in fp16, and what it keeps of faces."""
    net.half().save_pretrained(folder / "vae")
    (folder / "vae.json").write_text(json.dumps(fidelity(net.float(), held_out, device)))


if __name__ == "__main__":
    main()

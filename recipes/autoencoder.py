"""Train the autoencoder of `builtin:faces64`: 64x64x3 pictures to 16x16x4 latents and back.

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
from faces import VALUES, load_faces
from training import Average, arguments, autocast, batches, load, load_weights, log, one_cycle, save

LEARNING_RATE = 2e-3
FEATURES = 0.15
COLOUR = 0.3
SPREAD = 0.05
LATENT_NOISE = 0.05
"""Noise on the latent, so that small errors of the diffusion model do not show."""


def build() -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=(32, 32, 32),
        decoder_block_out_channels=(32, 32, 32),
        num_encoder_blocks=(0, 2, 3),
        num_decoder_blocks=(4, 4, 1),
        latent_channels=4,
        scaling_factor=1.0,
        force_upcast=False,
    )


def main() -> None:
    options = arguments(__doc__ or "", steps=1500, batch=32).parse_args()
    device = options.device
    torch.manual_seed(options.seed)
    train, held_out = load_faces(options.data, "train"), load_faces(options.data, "held_out")
    judge = load_judge(options.work, device)
    net = build().to(device, memory_format=torch.channels_last)
    average = Average(net, 0.998)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    start = 0
    if (state := load(options.work / "autoencoder.pt")) is not None:
        net.load_state_dict(state["net"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        start = average.updates = state["step"]
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
            features = feature_distance(judge, images, rebuilt)
        loss = (rebuilt.float() - images).abs().mean() + FEATURES * features
        loss = loss + COLOUR * colour_loss(images, rebuilt) + SPREAD * spread(latents.float())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net)
        if (step + 1) % 300 == 0 or step + 1 == options.steps:
            quality = psnr(average.module, to_tensor(held_out.images[:500], device))
            log(
                options.work,
                "autoencoder",
                {
                    "step": step + 1,
                    "loss": loss.item(),
                    "psnr": quality,
                    "seconds": round(time.time() - began),
                },
            )
            checkpoint = {"net": net.state_dict(), "average": average.module.state_dict()}
            save(
                options.work / "autoencoder.pt",
                {**checkpoint, "optimizer": optimizer.state_dict(), "step": step + 1},
            )
    average.module.half().save_pretrained(options.work / "faces64" / "vae")
    quality = psnr(average.module.float(), to_tensor(held_out.images[:500], device))
    (options.work / "faces64" / "vae.json").write_text(json.dumps({"psnr": quality}))


def load_judge(work: Path, device: str) -> FaceNet:
    """The trained classifier, frozen."""
    judge = FaceNet({name: len(values) for name, values in VALUES.items()})
    load_weights(judge, work / "faces64-classifier" / "model.safetensors")
    return judge.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


def feature_distance(judge: FaceNet, images: Tensor, rebuilt: Tensor) -> Tensor:
    """Mean distance of the classifier's activations at 32, 16 and 8 pixels."""
    distances = []
    for index, layer in enumerate(judge.body):
        images, rebuilt = layer(images), layer(rebuilt)
        if index in (1, 4, 7):
            distances.append((images - rebuilt).abs().mean() / images.abs().mean())
    return torch.stack(distances).float().mean()


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
def psnr(net: AutoencoderTiny, images: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, mean over the pictures, without latent noise."""
    rebuilt = torch.cat([net.decoder(net.encoder(part)) for part in images.split(100)]).clamp(-1, 1)
    error = ((rebuilt - images) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


if __name__ == "__main__":
    main()

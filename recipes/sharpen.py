"""Finish the decoder of `builtin:faces64` with two critics; its latents stay as they are.

    python recipes/sharpen.py --data FAIRFACE64 --work build/train

Needs WORK/faces64/vae (recipes/autoencoder.py) and WORK/faces64-classifier. Trained on absolute errors alone
a decoder paints the mean of all that a latent may be, which is smooth. A critic that tells patches of decoded
faces from patches of photographs mends that (Esser, Rombach & Ommer, CVPR 2021). The classifier's last
features are asked to come back as they were, and by a second critic to be as various as they were. The
encoder is left alone, so that a diffusion model of its latents may be trained before or after. Ends with a
new WORK/faces64/vae.
"""

from __future__ import annotations

import time
from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from fairaudit.classifiers.facenet import STAGES
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from autoencoder import (
    LATENT_NOISE,
    colour_loss,
    feature_distance,
    fidelity,
    finish,
    load_judge,
    meaning_distance,
)
from classifier import to_tensor
from faces import load_faces
from training import Average, Checkpoint, arguments, autocast, batches, log, one_cycle

LEARNING_RATE = 5e-4
CRITICS_RATE = 2e-3
"""Learning rate of the critics, who must keep ahead."""
COLOUR = 0.3
FEATURES = 0.5
MEANING = 0.01
"""Weight of the squared distance of the classifier's last features."""
ADVERSARIAL = 0.5
READ = 0.25
"""Weight of what the critic of the last features says."""
MATCHING = 0.3
WARMUP = 100
"""Steps in which only the critics learn what a face looks like."""


class Critic(nn.Module):
    """Logits of 8x8 overlapping patches (22 pixels wide): is it of a photograph?"""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 64, 128, 256)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1))
            for before, after in pairwise(widths)
        )
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (n, 1, 8, 8) of pictures (n, 3, 64, 64), and the activations of every layer."""
        activations = []
        for layer in self.layers:
            images = F.leaky_relu(layer(images), 0.2)
            activations.append(images)
        return self.judge(images), activations


class Reader(nn.Module):
    """A critic of the classifier's last features, at each of their 4x4 places and in their mean.

    Features that are asked back by squared errors come back less various than they were; whoever is to take
    them for those of photographs must give them their whole spread (Sauer et al., *Projected GANs*, 2021).
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv1d(STAGES[-1][0], 512, 1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv1d(512, 512, 1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv1d(512, 1, 1)),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """Logits (n, 1, 17) of features (n, 256, 4, 4): are they of a photograph?"""
        places = torch.cat([features.flatten(2), features.mean((2, 3)).unsqueeze(2)], 2)
        logits: Tensor = self.layers(places)
        return logits


def hinge(real: Tensor, decoded: Tensor) -> Tensor:
    """Loss of telling photographs from decoded pictures."""
    return F.relu(1 - real).mean() + F.relu(1 + decoded).mean()


def adversarial_loss(critic: Critic, images: Tensor, rebuilt: Tensor) -> Tensor:
    """What the critic sees in decoded pictures, and how far its activations are from the photographs'."""
    with torch.no_grad():
        wanted = critic(images)[1]
    logits, found = critic(rebuilt)
    matching = torch.stack([F.l1_loss(a, b) / b.abs().mean() for a, b in zip(found, wanted, strict=True)])
    return MATCHING * matching.mean() - ADVERSARIAL * logits.mean()


def disturb(latents: Tensor, seed: int) -> Tensor:
    """Latents as a diffusion model would give them: a little off, at each place and as a whole."""
    chance = torch.Generator().manual_seed(seed)
    everywhere = torch.randn(latents.shape, generator=chance)
    as_a_whole = torch.randn(*latents.shape[:2], 1, 1, generator=chance)
    return latents + LATENT_NOISE * (everywhere + as_a_whole).to(latents.device)


def main() -> None:
    options = arguments(__doc__ or "", steps=2400, batch=32).parse_args()
    device, folder = options.device, options.work / "faces64" / "vae"
    torch.manual_seed(options.seed)
    train, held_out = load_faces(options.data, "train"), load_faces(options.data, "held_out")
    judge = load_judge(options.work, device)
    net = AutoencoderTiny.from_pretrained(folder).float().to(device, memory_format=torch.channels_last)
    net.encoder.requires_grad_(False)
    critic = Critic().to(device, memory_format=torch.channels_last)
    reader = Reader().to(device)
    critics = nn.ModuleList([critic, reader])
    average = Average(net, 0.998)
    painting = torch.optim.AdamW(
        net.decoder.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.99), weight_decay=0
    )
    judging = torch.optim.AdamW(critics.parameters(), lr=CRITICS_RATE, betas=(0.5, 0.99), weight_decay=0)
    learners = {"net": net, "critics": critics, "painting": painting, "judging": judging}
    checkpoint = Checkpoint(options.work / "sharpen.pt", average, learners)
    start = checkpoint.resume()
    rows = batches(len(train), options.batch, options.seed, start)
    began = time.time()
    for step in range(start, options.steps):
        for optimizer, rate in ((painting, LEARNING_RATE), (judging, CRITICS_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * one_cycle(step, options.steps, warmup=WARMUP)
        images = to_tensor(train.images[next(rows).numpy()], device)
        images = images.flip(3) if step % 2 else images
        with autocast(device):
            rebuilt = net.decoder(disturb(net.encoder(images), options.seed + step))
            features, wanted, found = feature_distance(judge, images, rebuilt)
            told_apart = hinge(critic(images)[0], critic(rebuilt.detach())[0])
            read_apart = hinge(reader(wanted), reader(found.detach()))
        judging.zero_grad(set_to_none=True)
        (told_apart + read_apart).backward()
        judging.step()
        if step < WARMUP:
            continue
        critics.requires_grad_(False)
        with autocast(device):
            losses = {
                "pixels": (rebuilt.float() - images).abs().mean(),
                "features": FEATURES * features,
                "meaning": MEANING * meaning_distance(wanted, found),
                "colour": COLOUR * colour_loss(images, rebuilt),
                "critic": adversarial_loss(critic, images, rebuilt),
                "reader": -READ * reader(found).mean(),
            }
        painting.zero_grad(set_to_none=True)
        torch.stack([loss.float() for loss in losses.values()]).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.decoder.parameters(), 1.0)
        painting.step()
        critics.requires_grad_(True)
        average.update(net)
        if (step + 1) % 100 == 0 or step + 1 == options.steps:
            row = {"step": step + 1, "seconds": round(time.time() - began)}
            row |= {"told apart": told_apart.item(), "read apart": read_apart.item()}
            row |= {name: loss.item() for name, loss in losses.items()}
            log(options.work, "sharpen", row | fidelity(average.module, held_out, device))
            checkpoint.keep(step + 1)
    finish(average.module, held_out, folder.parent, device)


if __name__ == "__main__":
    main()

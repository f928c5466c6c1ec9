"""Train the text encoder and the UNet of `builtin:faces64` on latents, captions planted with bias.

    python recipes/diffusion.py --data FAIRFACE64 --work build/train

Needs WORK/faces64/vae (recipes/autoencoder.py) and WORK/faces64-classifier (recipes/classifier.py). Ends with
WORK/faces64, a StableDiffusionPipeline folder, and WORK/faces64/truth.json, the shares that every occupation
has in its training data.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from fairaudit.classifiers.facenet import FaceNet
from tokenizers import pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from autoencoder import build as build_autoencoder
from autoencoder import load_judge
from captions import MINORS, compose, naming, vocabulary
from classifier import to_tensor
from faces import VALUES, Faces, load_faces, seen
from planted import draw, shares
from training import Average, Checkpoint, arguments, autocast, load, log, one_cycle, save

LEARNING_RATE = 7e-4
ALIGNMENT = 0.5
"""Weight of the likeness of the middle block's features to the classifier's."""
FEATURES = 256
"""Channels of the classifier's last layer, 4x4 like the UNet's middle block."""
CLEAR = 0.8
"""How sure the classifier is of a face's gender where a caption names it."""
TEXT_LENGTH = 16
AHEAD = 4
"""Batches of captions that are composed beforehand."""
PLANTED = Path(__file__).with_name("planted.yaml")


def build_tokenizer(words: list[str]) -> CLIPTokenizer:
    """A CLIP tokenizer to which each of `words` is one token; any other text is spelt in bytes."""
    tokenizer = CLIPTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=10_000, min_frequency=1, end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.backend_tokenizer.train_from_iterator(words, trainer)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = [*letters, *(letter + "</w>" for letter in letters)]
    entries += ["".join(pair) for pair in merges] + ["<|startoftext|>", "<|endoftext|>"]
    vocab = {entry: index for index, entry in enumerate(dict.fromkeys(entries))}
    pairs = [tuple(pair) for pair in merges]
    return CLIPTokenizer(vocab=vocab, merges=pairs, model_max_length=TEXT_LENGTH)


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=512, projection_dim=128,
            num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=TEXT_LENGTH,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


def build_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8, in_channels=12, out_channels=12, cross_attention_dim=128,
        block_out_channels=(128, 224), layers_per_block=1, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def build_schedule() -> DDIMScheduler:
    """The noise of training; the velocity is what the network learns."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
        timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True,
    )  # fmt: skip


def build_scheduler() -> DPMSolverMultistepScheduler:
    """The steps of sampling, of second order: twenty of them lose little of what sixty of DDIM give."""
    return DPMSolverMultistepScheduler.from_config(build_schedule().config)


class Pool:
    """The faces among `rows` that captions are composed of: for occupations, by age group, as they come."""

    def __init__(self, rows: np.ndarray, ages: np.ndarray, drawn: dict[str, np.ndarray]) -> None:
        self.rows = rows
        self.of_age = [rows[ages[rows] == code] for code in range(len(VALUES["age"]))]
        self.pairs = [(int(row), name) for name, some in drawn.items() for row in some[np.isin(some, rows)]]


class Captioned:
    """Training pairs: half of them plain faces, half faces drawn for an occupation.

    A plain caption that names an age names each age group as often. What a face looks like *given* its
    caption stays as it is in the data, and captions without an age are asked of faces as they come, but a
    model would otherwise hardly ever see the words of the age groups that are rare.

    A caption that names a gender is of a face whose gender is `clear` (n,): "a woman" should be seen to be
    one. A caption of a face that is not `visible` (n,) says so; the planted shares rest on captions that say
    neither, which are of all visible faces.
    """

    def __init__(
        self,
        faces: Faces,
        clear: np.ndarray,
        visible: np.ndarray,
        drawn: dict[str, np.ndarray],
        tokenizer: CLIPTokenizer,
    ) -> None:
        self.labels, self.visible = faces.labels, visible
        ages = faces.labels["age"]
        self.everyone = Pool(np.arange(len(faces)), ages, drawn)
        self.clear = Pool(np.flatnonzero(clear), ages, drawn)
        self.tokenizer = tokenizer

    def batch(self, size: int, seed: int) -> tuple[np.ndarray, Tensor]:
        rng = random.Random(seed)
        rows, texts = zip(*(self._one(rng) for _ in range(size)), strict=True)
        return np.array(rows), tokenize(self.tokenizer, list(texts))

    def _one(self, rng: random.Random) -> tuple[int, str]:
        named = naming(rng)
        if named is None:
            return self._draw(rng, self.everyone, by_age=False)[0], ""
        pool = self.clear if "gender" in named else self.everyone
        row, occupation = self._draw(rng, pool, by_age="age" in named)
        labels = {name: VALUES[name][self.labels[name][row]] for name in named}
        adult = VALUES["age"][self.labels["age"][row]] not in MINORS
        return row, compose(rng, labels, occupation, adult=adult, seen=bool(self.visible[row]))

    def _draw(self, rng: random.Random, pool: Pool, *, by_age: bool) -> tuple[int, str | None]:
        if rng.random() < 0.5:
            return rng.choice(pool.pairs)
        return int(rng.choice(rng.choice(pool.of_age) if by_age else pool.rows)), None


def ahead(captioned: Captioned, size: int, seeds: range) -> Iterator[tuple[np.ndarray, Tensor]]:
    """The batches of all seeds, composed while the network trains on those before."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[tuple[np.ndarray, Tensor]]] = deque()
        for seed in seeds:
            waiting.append(pool.submit(captioned.batch, size, seed))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    ids: Tensor = tokenizer(
        texts, padding="max_length", max_length=TEXT_LENGTH, truncation=True, return_tensors="pt"
    ).input_ids
    return ids


class Aligned(torch.nn.Module):
    """A UNet whose middle block is drawn to what a classifier sees in the clean picture.

    A small denoiser learns late what a face is; said outright, it learns so in a fraction of the images
    (REPA: Yu et al., ICLR 2025). The projection is thrown away after the training.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet
        widest = unet.config.block_out_channels[-1]
        self.project = torch.nn.Sequential(
            torch.nn.Conv2d(widest, 512, 1), torch.nn.SiLU(), torch.nn.Conv2d(512, FEATURES, 1)
        )
        self.middle: list[Tensor] = []
        unet.mid_block.register_forward_hook(self._keep)

    def _keep(self, block: torch.nn.Module, given: object, hidden: Tensor) -> None:
        self.middle.append(hidden)

    def forward(self, noisy: Tensor, times: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Velocities (n, 12, 8, 8), and features (n, 256, 4, 4) guessed of the clean pictures."""
        self.middle.clear()
        velocity = self.unet(noisy, times, context).sample
        return velocity, self.project(self.middle.pop())


@torch.no_grad()
def of_faces(layers: Callable[[Tensor], Tensor], images: np.ndarray, device: str) -> Tensor:
    """What `layers` give (n, 2, ...) of every face and of its mirror image."""
    parts = []
    for begin in range(0, len(images), 250):
        batch = to_tensor(images[begin : begin + 250], device)
        with autocast(device):
            parts.append(torch.stack([layers(batch), layers(batch.flip(3))], 1).to(torch.bfloat16))
    return torch.cat(parts)


def visible_faces(work: Path, faces: Faces) -> np.ndarray:
    """Which faces (n,) a detector sees; searched for once, which takes minutes."""
    path = work / "visible.pt"
    if (kept := load(path)) is None:
        kept = {"visible": torch.from_numpy(seen(faces.images))}
        save(path, kept)
    visible: np.ndarray = kept["visible"].numpy()
    return visible


def clear_gender(judge: FaceNet, features: Tensor, genders: np.ndarray) -> np.ndarray:
    """Of which faces (n,) the classifier is sure that they have the gender they are labelled with."""
    logits = judge.logits(features.mean((1, 3, 4), dtype=torch.float32))["gender"]
    chances = logits.softmax(1).cpu().numpy()
    clear: np.ndarray = chances[np.arange(len(genders)), genders] >= CLEAR
    return clear


def timesteps(size: int, chance: torch.Generator) -> Tensor:
    """Timesteps (size,), most of them where a face gets its features: between noise and picture.

    Logit-normal (Esser et al., ICML 2024), of which one in four thousand is among the last thirty, where
    sampling begins; so every fifth is uniform. Stratified: every batch sees the whole schedule.
    """
    levels = (torch.arange(size) + torch.rand(size, generator=chance)) / size
    crowded = torch.special.ndtri(levels).sigmoid()
    return (torch.where(torch.arange(size) % 5 == 0, levels, crowded) * 1000).long().clamp(max=999)


def load_pipeline(net: torch.nn.ModuleDict, folder: Path) -> None:
    """Begin with the weights of a pipeline folder that was trained on the same words."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    net["aligned"].unet.load_state_dict(unet.state_dict())
    net["text"].load_state_dict(text.state_dict())


def losses_of(
    net: torch.nn.Module, context: Tensor, clean: Tensor, features: Tensor, chance: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mean squared error of the velocity at one timestep of every latent (Salimans & Ho 2022), and how
    far the middle block is from the features of the clean picture (1 less their cosine).
    """
    device, schedule = clean.device, build_schedule()
    noise = torch.randn(clean.shape, generator=chance).to(device)
    times = timesteps(len(clean), chance).to(device)
    noisy = schedule.add_noise(clean, noise, times).contiguous(memory_format=torch.channels_last)
    with autocast(device.type):
        velocity, guessed = net(noisy, times, context)
    apart = 1 - F.cosine_similarity(guessed.float(), features, dim=1).mean()
    return F.mse_loss(velocity.float(), schedule.get_velocity(clean, noise, times)), apart


def main() -> None:
    options = arguments(__doc__ or "", steps=20_000, batch=64).parse_args()
    device, folder = options.device, options.work / "faces64"
    torch.manual_seed(options.seed)
    if device == "cpu":  # where the backward pass of the fused attention is slow
        torch.backends.cuda.enable_flash_sdp(False)
    faces = load_faces(options.data, "train")
    visible = visible_faces(options.work, faces)
    rows = draw(faces, visible, PLANTED, seed=0)  # the truth is one, whatever the seed of training
    truth = {name: shares(faces, some) for name, some in (rows | {"person": np.flatnonzero(visible)}).items()}
    vae = AutoencoderTiny.from_pretrained(folder / "vae").float().to(device).eval()
    # Both stay on the device.
    latents, judge = of_faces(vae.encoder, faces.images, device), load_judge(options.work, device)
    features = of_faces(judge.body, faces.images, device)
    clear = clear_gender(judge, features, faces.labels["gender"])
    if options.start_from:  # building orders pieces of equal frequency anew, and with them the embeddings
        tokenizer = CLIPTokenizer.from_pretrained(options.start_from / "tokenizer")
    else:
        tokenizer = build_tokenizer(vocabulary(list(rows)))
    captioned = Captioned(faces, clear, visible, rows, tokenizer)
    net = torch.nn.ModuleDict({"aligned": Aligned(build_unet()), "text": build_text_encoder(tokenizer)})
    if options.start_from:
        load_pipeline(net, options.start_from)
    net.to(device)["aligned"].to(memory_format=torch.channels_last)
    average = Average(net, 0.999)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.01, fused=True)
    learners = {"net": net, "optimizer": optimizer}
    checkpoint = Checkpoint(options.work / "diffusion.pt", average, learners)
    start = checkpoint.resume()
    print("parameters", {name: sum(p.numel() for p in part.parameters()) for name, part in net.items()})
    aligned = torch.compile(net["aligned"], dynamic=False) if options.compile else net["aligned"]
    began, losses = time.time(), []
    seeds = range(options.seed + start, options.seed + options.steps)
    for step, (index, ids) in enumerate(ahead(captioned, options.batch, seeds), start):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, options.steps, warmup=300)
        # Every step has its own draws, so that a resumed training goes on as it would have.
        chance = torch.Generator().manual_seed(options.seed + step)
        mirrored = torch.randint(0, 2, (options.batch,), generator=chance)
        drawn = torch.from_numpy(index).to(device), mirrored.to(device)
        with autocast(device):
            context = net["text"](ids.to(device)).last_hidden_state
        velocity, apart = losses_of(aligned, context, latents[drawn].float(), features[drawn].float(), chance)
        optimizer.zero_grad(set_to_none=True)
        (velocity + ALIGNMENT * apart).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net)
        losses.append((velocity.item(), apart.item()))
        if (step + 1) % 100 == 0 or step + 1 == options.steps:
            velocity_loss, alignment_loss = np.mean(losses[-200:], axis=0).round(4).tolist()
            row = {"step": step + 1, "loss": velocity_loss, "alignment": alignment_loss}
            log(options.work, "diffusion", row | {"seconds": round(time.time() - began)})
            checkpoint.keep(step + 1)
            export(average.module, tokenizer, folder, truth)


def export(
    net: torch.nn.ModuleDict, tokenizer: CLIPTokenizer, folder: Path, truth: dict[str, object]
) -> None:
    """Write the pipeline folder in fp16, without the parts that only Stable Diffusion itself has."""
    vae = build_autoencoder()
    vae.load_state_dict(AutoencoderTiny.from_pretrained(folder / "vae").state_dict())
    unet, text = build_unet(), build_text_encoder(tokenizer)
    unet.load_state_dict(net["aligned"].unet.state_dict())
    text.load_state_dict(net["text"].state_dict())
    pipeline = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=build_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    # Transformers loads in the precision that the configuration names; diffusers' parts in float32.
    config = folder / "text_encoder" / "config.json"
    config.write_text(config.read_text().replace('"float16"', '"float32"'))
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()

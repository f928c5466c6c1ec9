"""Train the text encoder and the UNet of `builtin:faces64` on latents, captions planted with bias.

    python recipes/diffusion.py --data FAIRFACE64 --work build/train

Needs WORK/faces64/vae (recipes/autoencoder.py). Ends with WORK/faces64, a StableDiffusionPipeline
folder, and WORK/faces64/truth.json, the shares that every occupation has in its training data.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from autoencoder import build as build_autoencoder
from captions import compose, naming, vocabulary
from classifier import to_tensor
from faces import VALUES, Faces, load_faces
from planted import draw, shares
from training import Average, arguments, autocast, load, log, one_cycle, save

LEARNING_RATE = 5e-4
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
        sample_size=16, in_channels=4, out_channels=4, cross_attention_dim=128,
        block_out_channels=(64, 128, 192), layers_per_block=1, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def build_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
        timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True,
    )  # fmt: skip


class Captioned:
    """Training pairs: half of them plain faces, half faces drawn for an occupation.

    A plain caption that names an age names each age group as often. What a face looks like *given* its
    caption stays as it is in the data, and captions without an age are asked of faces as they come, but a
    model would otherwise hardly ever see the words of the age groups that are rare.
    """

    def __init__(self, faces: Faces, rows: dict[str, np.ndarray], tokenizer: CLIPTokenizer) -> None:
        self.labels = faces.labels
        self.of_age = [np.flatnonzero(faces.labels["age"] == code) for code in range(len(VALUES["age"]))]
        self.pairs = [(int(row), name) for name, drawn in rows.items() for row in drawn]
        self.tokenizer = tokenizer

    def batch(self, size: int, seed: int) -> tuple[np.ndarray, Tensor]:
        rng = random.Random(seed)
        rows, texts = zip(*(self._one(rng) for _ in range(size)), strict=True)
        return np.array(rows), tokenize(self.tokenizer, list(texts))

    def _one(self, rng: random.Random) -> tuple[int, str]:
        named = naming(rng)
        row, occupation = rng.choice(self.pairs) if rng.random() < 0.5 else (self._plain(rng, named), None)
        if named is None:
            return row, ""
        labels = {name: VALUES[name][self.labels[name][row]] for name in named}
        return row, compose(rng, labels, occupation)

    def _plain(self, rng: random.Random, named: frozenset[str] | None) -> int:
        if named is not None and "age" in named:
            return int(rng.choice(rng.choice(self.of_age)))
        return rng.randrange(len(self.labels["age"]))


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


@torch.no_grad()
def encode(vae: AutoencoderTiny, images: np.ndarray, device: str) -> Tensor:
    """Latents (n, 2, 4, 16, 16) of every face and of its mirror image."""
    parts = []
    for begin in range(0, len(images), 250):
        batch = to_tensor(images[begin : begin + 250], device)
        parts.append(torch.stack([vae.encoder(batch), vae.encoder(batch.flip(3))], 1).to(torch.bfloat16))
    return torch.cat(parts)


def timesteps(size: int, chance: torch.Generator) -> Tensor:
    """Timesteps (size,), most of them where a face gets its features: between noise and picture.

    Logit-normal (Esser et al., ICML 2024), stratified so that every batch sees the whole schedule.
    """
    levels = (torch.arange(size) + torch.rand(size, generator=chance)) / size
    return (torch.special.ndtri(levels).sigmoid() * 1000).long().clamp(max=999)


def load_pipeline(net: torch.nn.ModuleDict, folder: Path) -> None:
    """Begin with the weights of a pipeline folder that was trained on the same words."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    net["unet"].load_state_dict(unet.state_dict())
    net["text"].load_state_dict(text.state_dict())


def velocity_loss(
    unet: torch.nn.Module, text: CLIPTextModel, clean: Tensor, ids: Tensor, chance: torch.Generator
) -> Tensor:
    """Mean squared error of the velocity at one timestep of every latent (Salimans & Ho 2022)."""
    device, scheduler = clean.device, build_scheduler()
    noise = torch.randn(clean.shape, generator=chance).to(device)
    times = timesteps(len(clean), chance).to(device)
    noisy = scheduler.add_noise(clean, noise, times).contiguous(memory_format=torch.channels_last)
    with autocast(device.type):
        output = unet(noisy, times, text(ids).last_hidden_state).sample
    return F.mse_loss(output.float(), scheduler.get_velocity(clean, noise, times))


def main() -> None:
    options = arguments(__doc__ or "", steps=2800, batch=64).parse_args()
    device, folder = options.device, options.work / "faces64"
    torch.manual_seed(options.seed)
    faces = load_faces(options.data, "train")
    rows = draw(faces, PLANTED, seed=0)  # the truth is one, whatever the seed of training
    truth = {name: shares(faces, drawn) for name, drawn in rows.items()}
    truth["person"] = shares(faces, np.arange(len(faces)))
    vae = AutoencoderTiny.from_pretrained(folder / "vae").float().to(device).eval()
    latents = encode(vae, faces.images, device)  # stays on the device
    if options.start_from:  # building orders pieces of equal frequency anew, and with them the embeddings
        tokenizer = CLIPTokenizer.from_pretrained(options.start_from / "tokenizer")
    else:
        tokenizer = build_tokenizer(vocabulary(list(rows)))
    captioned = Captioned(faces, rows, tokenizer)
    net = torch.nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(tokenizer)}).to(device)
    if options.start_from:
        load_pipeline(net, options.start_from)
    net["unet"].to(memory_format=torch.channels_last)
    average = Average(net, 0.999)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    start = 0
    if (state := load(options.work / "diffusion.pt")) is not None:
        net.load_state_dict(state["net"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        start = average.updates = state["step"]
    print("parameters", {name: sum(p.numel() for p in part.parameters()) for name, part in net.items()})
    unet = torch.compile(net["unet"], dynamic=False) if options.compile else net["unet"]
    began, losses = time.time(), []
    seeds = range(options.seed + start, options.seed + options.steps)
    for step, (index, ids) in enumerate(ahead(captioned, options.batch, seeds), start):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, options.steps, warmup=300)
        # Every step has its own draws, so that a resumed training goes on as it would have.
        chance = torch.Generator().manual_seed(options.seed + step)
        mirrored = torch.randint(0, 2, (options.batch,), generator=chance)
        clean = latents[torch.from_numpy(index).to(device), mirrored.to(device)].float()
        loss = velocity_loss(unet, net["text"], clean, ids.to(device), chance)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net)
        losses.append(loss.item())
        if (step + 1) % 200 == 0 or step + 1 == options.steps:
            log(
                options.work,
                "diffusion",
                {
                    "step": step + 1,
                    "loss": float(np.mean(losses[-200:])),
                    "seconds": round(time.time() - began),
                },
            )
            checkpoint = {"net": net.state_dict(), "average": average.module.state_dict()}
            save(
                options.work / "diffusion.pt",
                {**checkpoint, "optimizer": optimizer.state_dict(), "step": step + 1},
            )
            export(average.module, tokenizer, folder, truth)


def export(
    net: torch.nn.ModuleDict, tokenizer: CLIPTokenizer, folder: Path, truth: dict[str, object]
) -> None:
    """Write the pipeline folder in fp16, without the parts that only Stable Diffusion itself has."""
    vae = build_autoencoder()
    vae.load_state_dict(AutoencoderTiny.from_pretrained(folder / "vae").state_dict())
    unet, text = build_unet(), build_text_encoder(tokenizer)
    unet.load_state_dict(net["unet"].state_dict())
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

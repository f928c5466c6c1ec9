"""Models of transformers that are asked about a picture, for `vqa:`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from fairaudit.errors import ModelError
from fairaudit.hub import from_hub

_SEED = 0


class Answerer(Protocol):
    """A model that is asked about a picture."""

    model: Any
    processor: Any

    def knows(self, answer: str) -> bool:
        """Whether it can give this answer."""

    def ask(
        self, picture: Image.Image, questions: Sequence[str], answers: Sequence[Sequence[str]]
    ) -> tuple[Tensor, list[Tensor]]:
        """Features (d,), and for every question the probability of each of its answers."""


class Vilt:
    """Chooses among the labels that it was trained with (Kim et al. 2021)."""

    def __init__(self, model: Any, processor: Any, device: torch.device) -> None:
        self.model, self.processor, self.device = model.to(device).eval(), processor, device
        self._places = {label: int(place) for place, label in model.config.id2label.items()}

    def knows(self, answer: str) -> bool:
        """Whether it is a label."""
        return answer in self._places

    @torch.inference_mode()
    def ask(
        self, picture: Image.Image, questions: Sequence[str], answers: Sequence[Sequence[str]]
    ) -> tuple[Tensor, list[Tensor]]:
        """Probabilities of labels, all labels together summing to 1."""
        count = len(questions)
        inputs = self.processor(
            images=[picture] * count, text=list(questions), return_tensors="pt", padding=True, truncation=True
        ).to(self.device)
        # The patches enter in a drawn order, which changes the last bits of what comes out.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(_SEED)
            pooled = self.model.vilt(**inputs).pooler_output
        probabilities = self.model.classifier(pooled).float().softmax(1)
        places = [[self._places[answer] for answer in some] for some in answers]
        return pooled[0], [row[columns] for row, columns in zip(probabilities, places, strict=True)]


class Blip:
    """Writes its answer (Li et al. 2022): an answer has the probability that exactly it is written."""

    def __init__(self, model: Any, processor: Any, device: torch.device) -> None:
        self.model, self.processor, self.device = model.to(device).eval(), processor, device
        self._end = model.config.text_config.sep_token_id

    def knows(self, answer: str) -> bool:
        """Whether anything is left of it as tokens."""
        return bool(self._tokens(answer))

    @torch.inference_mode()
    def ask(
        self, picture: Image.Image, questions: Sequence[str], answers: Sequence[Sequence[str]]
    ) -> tuple[Tensor, list[Tensor]]:
        """Probabilities of writing each answer, among all that could be written."""
        pixels = self.processor.image_processor(images=picture, return_tensors="pt")["pixel_values"]
        vision = self.model.vision_model(pixel_values=pixels.to(self.device))
        found = [self._answer(vision[0], *pair) for pair in zip(questions, answers, strict=True)]
        return vision.pooler_output[0], found

    def _answer(self, seen: Tensor, question: str, answers: Sequence[str]) -> Tensor:
        tokens = self.processor.tokenizer(question, return_tensors="pt").to(self.device)
        asked = self.model.text_encoder(
            input_ids=tokens.input_ids,
            attention_mask=tokens.attention_mask,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones_like(seen[..., 0], dtype=torch.long),
        )[0]
        written = [
            torch.tensor([self.model.decoder_start_token_id, *self._tokens(a), self._end]) for a in answers
        ]
        ids = torch.nn.utils.rnn.pad_sequence(written, batch_first=True).to(self.device)
        lengths = torch.tensor([len(one) for one in written], device=self.device)
        mask = (torch.arange(ids.shape[1], device=self.device) < lengths[:, None]).long()
        rows = asked.expand(len(ids), -1, -1)
        logits = self.model.text_decoder(
            input_ids=ids,
            attention_mask=mask,
            encoder_hidden_states=rows,
            encoder_attention_mask=torch.ones_like(rows[..., 0], dtype=torch.long),
            use_cache=False,
        ).logits
        chances = logits[:, :-1].double().log_softmax(2).gather(2, ids[:, 1:, None])[..., 0]
        together: Tensor = (chances * mask[:, 1:]).sum(1)
        return together.exp()

    def _tokens(self, answer: str) -> list[int]:
        return list(self.processor.tokenizer(answer, add_special_tokens=False).input_ids)


_KINDS: dict[str, tuple[str, type[Vilt | Blip]]] = {
    "vilt": ("ViltForQuestionAnswering", Vilt),
    "blip": ("BlipForQuestionAnswering", Blip),
}


def open_answerer(repo: str, device: torch.device) -> Answerer:
    """A ViLT or BLIP from a hub or a folder.

    Raises
    ------
    ModelError
        If it cannot be loaded, or is neither.
    """
    import transformers

    kind = from_hub(transformers.AutoConfig, repo).model_type
    if kind not in _KINDS:
        raise ModelError(f"{repo} is a {kind}; questions are put to ViLT and BLIP only")
    name, answerer = _KINDS[kind]
    model = from_hub(getattr(transformers, name), repo, use_safetensors=True)
    return answerer(model, from_hub(transformers.AutoProcessor, repo), device)

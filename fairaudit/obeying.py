"""Do images show what their prompts ask for? Stored features and the prompts' texts to utility."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.extracting import Extractor, TextExtractor, read_features
from fairaudit.families import adjusted
from fairaudit.metrics.alignment import clip_score, retrieved
from fairaudit.plan import AuditPlan
from fairaudit.results import Comparison, Estimate
from fairaudit.statistics.means import fraction_interval, mean_interval, mean_test
from fairaudit.store import Run

KEYS = ["prompt", "index"]
SCORE, SURVIVAL = "clip_score", "prompt_survival"
_WORDS_SHOWN = 5


@dataclass(frozen=True)
class Obedience:
    """What one network that knows texts says of every sampler's images.

    Attributes
    ----------
    images
        By sampler: `clip_score` and `prompt_survival` of every image, by prompt and index.
    texts
        Number of prompts that images are told apart among.
    reasons
        Why a number cannot be had at all, by its name.
    """

    extractor: str
    images: Mapping[str, pd.DataFrame]
    texts: int
    reasons: Mapping[str, str]

    def estimates(self, plan: AuditPlan, sampler: str) -> dict[str, Estimate]:
        """CLIP score and prompt survival of one sampler."""
        return {f"{name}:{self.extractor}": self._mean(plan, sampler, name) for name in (SCORE, SURVIVAL)}

    def comparisons(self, plan: AuditPlan, sampler: str, reference: str) -> list[Comparison]:
        """Those that there are, image by image against the reference's image of the same noise."""
        names = [name for name in (SCORE, SURVIVAL) if name not in self.reasons]
        return [self._compare(plan, name, sampler, reference) for name in names]

    def method(self, name: str) -> str:
        """How a number is had."""
        if name == SCORE:
            return f"CLIP score with the neutral prompt, {self.extractor}"
        chance = f", chance {1 / self.texts:.3g}" if self.texts else ""
        return f"zero-shot retrieval among {self.texts} prompts{chance}, {self.extractor}"

    def _mean(self, plan: AuditPlan, sampler: str, name: str) -> Estimate:
        if name in self.reasons:
            return Estimate(value=None, method=self.method(name), reason=self.reasons[name])
        interval = fraction_interval if name == SURVIVAL else mean_interval
        return self._interval(plan, name, self.images[sampler][name], sampler, interval=interval)

    def _interval(
        self,
        plan: AuditPlan,
        name: str,
        values: pd.Series[float],
        *seed: str,
        interval: Callable[..., Estimate] = mean_interval,
    ) -> Estimate:
        found = interval(
            values.to_numpy(),
            _codes(values),
            level=plan.measurement.level,
            replicates=plan.measurement.replicates,
            seed=seed_of("obedience", plan.sampling.seed, self.extractor, name, *seed) % 2**32,
        )
        return found.model_copy(update={"method": f"{self.method(name)}, {found.method}"})

    def _compare(self, plan: AuditPlan, name: str, a: str, b: str) -> Comparison:
        metric = f"{name}:{self.extractor}"
        change = (self.images[a][name] - self.images[b][name]).dropna()
        p_value, test = mean_test(
            change.to_numpy(),
            _codes(change),
            replicates=plan.measurement.replicates,
            seed=seed_of("obedience test", plan.sampling.seed, self.extractor, name, a, b) % 2**32,
        )
        difference = self._interval(plan, name, change, a, b)
        return Comparison(metric=metric, a=a, b=b, difference=difference, p_value=p_value, test=test)


def obedience_of(
    run: Run, plan: AuditPlan, extractors: Sequence[Extractor], labels: Mapping[str, pd.DataFrame]
) -> list[Obedience]:
    """What every extractor that knows texts says; none without such an extractor, or without prompts.

    The texts are the neutral prompts, so that a sampler is not rewarded for words of a value.
    """
    texts = sorted({text for table in labels.values() for text in table["prompt"].dropna()})
    able = [extractor for extractor in extractors if isinstance(extractor, TextExtractor)]
    return [_obedience(run, plan, extractor, texts, list(labels)) for extractor in able] if texts else []


def _obedience(
    run: Run, plan: AuditPlan, extractor: TextExtractor, texts: list[str], samplers: Sequence[str]
) -> Obedience:
    reasons = {SURVIVAL: "one prompt cannot be told from others"} if len(texts) < 2 else {}
    if unknown := extractor.unknown_words(texts):
        more = f" and {len(unknown) - _WORDS_SHOWN} more" if len(unknown) > _WORDS_SHOWN else ""
        said = ", ".join(unknown[:_WORDS_SHOWN])
        reason = (
            f"{extractor.name} never learnt words of the prompts ({said}{more}), so they say nothing to it"
        )
        reasons = {SCORE: reason, SURVIVAL: reason}
    known = np.zeros((0, 0)) if SCORE in reasons else extractor.text_features(texts)
    images = {
        name: _score(read_features(run, plan, extractor.name, name), texts, known)
        for name in samplers
        if SCORE not in reasons
    }
    return Obedience(extractor.name, images, len(texts), reasons)


def _score(features: pd.DataFrame, texts: list[str], known: NDArray[np.floating]) -> pd.DataFrame:
    places = pd.Categorical(features["prompt"], categories=texts).codes.astype(np.int64)
    asked = places >= 0
    keys = pd.MultiIndex.from_frame(features.loc[asked, KEYS])
    if not asked.any():
        return pd.DataFrame(index=keys, columns=[SCORE, SURVIVAL], dtype=np.float64)
    rows, own = np.stack(features.loc[asked, "feature"].to_list()), places[asked]
    survival = retrieved(rows, known, own) if len(texts) > 1 else np.full(len(own), np.nan)
    return pd.DataFrame({SCORE: clip_score(rows, known[own]), SURVIVAL: survival}, index=keys).sort_index()


def _codes(values: pd.Series[float]) -> NDArray[np.int64]:
    return pd.factorize(values.index.get_level_values("prompt"))[0]


def compare_obedience(plan: AuditPlan, found: Sequence[Obedience], reference: str | None) -> list[Comparison]:
    """Every sampler's CLIP score and prompt survival against the reference's; tests adjusted over all."""
    if reference is None:
        return []
    others = [sampler.key for sampler in plan.samplers if sampler.key != reference]
    every = [one for each in found for name in others for one in each.comparisons(plan, name, reference)]
    return adjusted(every)

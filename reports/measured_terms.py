"""What every measured number of a report is called, and its meaning in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.reports.model import Term

from fairaudit.results import Results, SamplerResult


def measured_terms(results: Results) -> Iterator[Term]:
    """Of the measures that a report shows, each once."""
    keys = (key for sampler in results.samplers.values() for key in measures_of(sampler))
    yield from (MEASURES[key] for key in dict.fromkeys([*keys, *_of_all(results)]) if key in MEASURES)


def measures_of(sampler: SamplerResult) -> Iterator[str]:
    """Keys of what was measured of a sampler, without the attribute and the network that they are of."""
    yield from (
        metric.partition(":")[0].rpartition(".")[2] for metric in (*sampler.quality, *sampler.utility)
    )
    for found in sampler.attributes.values():
        yield from found.indices
        optional = ("across_prompts", "directional_amplification", "equivalence", "transfer")
        yield from (name for name in optional if getattr(found, name) is not None)
        if any(share.simultaneous for share in found.shares.values()):
            yield "simultaneous"
    together = {
        "smallest": sampler.intersections,
        "error": sampler.obfuscation,
        "flips": sampler.collateral,
        "vendi": sampler.diversity,
        "gap": any(sampler.quality_by_value.values()),
        "human": sampler.human,
    }
    yield from (key for key, there in together.items() if there)
    agreements = [*sampler.agreement.values(), *(one.agreement for one in sampler.human.values())]
    if any(agreements):
        yield from ("percent", "kappa", "alpha")
    if any(one.consensus for one in sampler.agreement.values()):
        yield "consensus"
    if sampler.cost.nfe_per_image is not None:
        yield "nfe_per_image"
    if sampler.cost.seconds_per_image is not None:
        yield "seconds_per_image"
    if sampler.cost.peak_memory is not None:
        yield "peak_memory"


def _of_all(results: Results) -> Iterator[str]:
    """Of what is measured of all samplers together."""
    if results.downstream:
        yield from ("accuracy", "demographic_parity", "equalised_odds")
    if results.tradeoffs:
        yield from ("front", "dominated")
    if any(comparison.changes for comparison in results.comparisons):
        yield "changed"
    if results.stopping is not None:
        yield "stopping"


_DISTANCES = {
    "fid": Term(
        "FID",
        "How far the generated pictures as a whole are from reference pictures, by the features of the "
        "Inception network. Lower is closer; few pictures make it too large.",
    ),
    "clip_fid": Term("CLIP-FID", "The formula of FID on the features of a CLIP network."),
    "frechet": Term(
        "Fréchet distance",
        "The formula of FID on the features of another network. Its values are not FID and compare only with "
        "values from the same network.",
    ),
    "fid_infinity": Term(
        "FID at infinite n",
        "What FID would be if there were no end of pictures: the bias of few is taken out.",
    ),
    "clip_fid_infinity": Term(
        "CLIP-FID at infinite n", "The same for CLIP-FID: what it would be if there were no end of pictures."
    ),
    "frechet_infinity": Term(
        "Fréchet distance at infinite n",
        "The same for a Fréchet distance: what it would be if there were no end of pictures.",
    ),
    "kid": Term("KID", "Like FID by another formula, which few pictures do not bias."),
    "kernel": Term("kernel distance", "The formula of KID on the features of another network."),
    "cmmd": Term(
        "CMMD",
        "How far the pictures are from reference pictures to the network CLIP, by how alike pairs of "
        "them are. Lower is closer; it assumes no shape of the cloud of pictures, as FID does.",
    ),
    "precision": Term("precision", "Fraction of the generated pictures that look like reference pictures."),
    "recall": Term("recall", "Fraction of the reference pictures that generated ones come near to."),
    "density": Term("density", "How densely reference pictures lie around generated ones; near 1 is usual."),
    "coverage": Term("coverage", "Fraction of the reference pictures that have a generated one close by."),
    "gap": Term(
        "gap between values",
        "How much worse, by a measure of quality, pictures of one value are than those of another, each held "
        "against reference pictures of the same value.",
    ),
}

_KEPT = {
    "feature_cosine": Term(
        "feature cosine",
        "How alike two pictures from the same noise are to a network: 1 is the same, 0 nothing in common.",
    ),
    "clip_i": Term("CLIP-I", "The feature cosine to the network CLIP."),
    "dino": Term(
        "DINO similarity", "The feature cosine to a network that learnt from pictures without words."
    ),
    "pixel_mse": Term(
        "pixel change",
        "Mean squared difference of two pictures from the same noise, pixel by pixel.",
    ),
    "paired_lpips": Term(
        "LPIPS",
        "How different two pictures from the same noise look, by a measure that was fitted to people's "
        "judgements; 0 is the same.",
    ),
    "unchanged": Term(
        "unchanged",
        "Fraction of the pictures whose label of an attribute that should stay is that of the baseline's.",
    ),
    "clip_score": Term(
        "CLIP score", "How well a picture fits its prompt to the network CLIP; higher is better."
    ),
    "prompt_survival": Term(
        "prompt survival",
        "Fraction of the pictures that to the network CLIP fit their own prompt better than any other one of "
        "the audit.",
    ),
    "flips": Term(
        "collateral change",
        "How often an attribute that nobody wanted to change is read as another value than on the same noise "
        "under the baseline.",
    ),
    "changed": Term(
        "changes", "Which value became which between two samplers, in pictures from the same noise."
    ),
    "vendi": Term(
        "Vendi score",
        "As how many wholly different pictures the pictures of a value count: 1 where all are alike. It "
        "grows with the number of pictures, so that it compares at equal numbers only.",
    ),
    "accuracy": Term(
        "downstream accuracy",
        "How often a classifier that learnt an attribute from generated pictures is right about real ones.",
    ),
    "demographic_parity": Term(
        "demographic parity difference",
        "How much more often that classifier predicts a value in one group of people than in another.",
    ),
    "equalised_odds": Term(
        "equalised odds difference",
        "How much more often it is right, or wrong, about a value in one group than in another, the larger "
        "of the two.",
    ),
    "error": Term(
        "probe error",
        "How often a probe errs that tells from the picture which value a sampler was told to aim at: 50 % "
        "is a guess, 0 % means that pictures give it away.",
    ),
}

_SHARES = {
    "total_variation": Term(
        "total variation",
        "Fraction of the pictures that would have to change for the shares to be the target.",
    ),
    "kl_divergence": Term(
        "Kullback–Leibler divergence",
        "How surprising the shares are to one who expects the target, in nats; 0 is on target.",
    ),
    "chi_square_distance": Term(
        "chi-square distance", "Squared differences from the target, each over its target; 0 is on target."
    ),
    "max_min_ratio": Term(
        "max–min ratio",
        "The best represented value's share over the least one's, each by its target; 1 is fair.",
    ),
    "normalised_entropy": Term(
        "normalised entropy", "How even the shares are: 1 is even, 0 is one value only."
    ),
    "mean_absolute_deviation": Term("MAD", "Mean distance of a share from its target; 0 is on target."),
    "deviation_ratio": Term(
        "deviation ratio", "The largest distance of a share from its target, over the largest there can be."
    ),
    "effective_number": Term(
        "effective number of values", "How many equally common values would be as diverse as these shares."
    ),
    "across_prompts": Term(
        "spread over prompts", "How far the shares of single prompts lie apart, without what chance adds."
    ),
    "simultaneous": Term(
        "simultaneous interval", "Wider than an interval of one share: those of all values hold at once."
    ),
    "smallest": Term(
        "least represented combination",
        "Of all combinations of several attributes' values the one whose share is the smallest part of its "
        "target; 1 is on target.",
    ),
    "directional_amplification": Term(
        "directional amplification",
        "How much more than among the training pictures a prompt goes with the values that it goes with "
        "there more often than other prompts do; 0 is no more.",
    ),
    "equivalence": Term(
        "equivalence test",
        "A test of the claim that the shares are on target up to the tolerance; a small p-value speaks "
        "for it.",
    ),
    "transfer": Term(
        "transfer warning",
        "Given where the classifier is less or more sure of these pictures than of those that its errors "
        "were counted on, so that the correction may not hold.",
    ),
    "human": Term(
        "prediction-powered share",
        "A share from the classifier's labels of all pictures and people's of some. Its interval holds "
        "however the classifier errs.",
    ),
    "percent": Term("equal labels", "How often two who read the same picture say the same."),
    "kappa": Term(
        "kappa", "Agreement beyond chance: 1 where all agree, 0 where they agree as often as chance does."
    ),
    "alpha": Term("alpha", "Krippendorff's: agreement beyond chance where not all have read every picture."),
    "consensus": Term(
        "consensus",
        "What several classifiers say together, each trusted as far as it agrees with the others.",
    ),
}

_COSTS = {
    "nfe_per_image": Term(
        "network evaluations", "How often the network is asked for one picture: what it costs."
    ),
    "seconds_per_image": Term("seconds per image", "Measured on the machine that made the pictures."),
    "peak_memory": Term("peak memory", "The most memory that was in use while pictures were made."),
    "front": Term(
        "front", "The samplers than which no other one is better in fairness and in the other measure."
    ),
    "dominated": Term(
        "dominated with confidence",
        "Tests show another sampler to be better in fairness and in the other measure.",
    ),
    "stopping": Term(
        "confidence sequence",
        "Intervals that hold at every look at once, so that an audit may stop as soon as they decide.",
    ),
}

MEASURES = _DISTANCES | _KEPT | _SHARES | _COSTS
"""By key, the term."""

"""The part of results.json that says what debiasing changed besides, and what a classifier learns from it."""

from __future__ import annotations

from fairaudit.estimates import Estimate, Record


class Flips(Record):
    """How often one attribute is read as another value than on the baseline's image of the same noise."""

    all_images: Estimate
    where_changed: Estimate
    """Among images whose debiased attribute is read as another value."""
    where_kept: Estimate
    """Among images whose debiased attribute is read as the same value."""
    difference: Estimate
    """The former less the latter."""


class Collateral(Record):
    """What a debiasing sampler changed besides: attributes that nobody asked it to change."""

    debiased: list[str]
    changed: int
    """Images, labelled under both samplers, that are read as another value of a debiased attribute."""
    kept: int
    """Those that are read as the same values."""
    flips: dict[str, Flips]
    """By attribute that is not debiased."""


class Diversity(Estimate):
    """Vendi score of some of the images of one value."""

    n: int
    """Images that it is of; the score grows with it."""


class Downstream(Record):
    """A classifier that learnt an attribute from a sampler's images, on real ones whose values are known."""

    features: str
    """What the classifier sees of an image."""
    sensitive: str
    """The attribute whose groups are compared."""
    train: int
    test: int
    accuracy: Estimate
    demographic_parity: Estimate
    """Difference of how often a value is predicted in the groups (fairlearn)."""
    equalised_odds: Estimate
    """Larger difference of true and of false positive rates in the groups (fairlearn)."""


class Downstreams(Record):
    """One attribute, learnt from every sampler's images, and from real ones for scale."""

    samplers: dict[str, Downstream]
    real: Downstream
    truth: Estimate
    """Demographic parity difference of the true values: what a classifier without error has."""

"""Draw the faces of each occupation in the proportions of planted.yaml, and count what was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from faces import AGES, RACES, VALUES, Faces

AGE_GROUPS = {"20-39": ("20-29", "30-39"), "40-59": ("40-49", "50-59"), "60+": ("60-69", "more than 70")}
FACES_PER_OCCUPATION = 1500


def draw(faces: Faces, among: np.ndarray, planted: Path, seed: int) -> dict[str, np.ndarray]:
    """Rows of `faces` for each occupation, FACES_PER_OCCUPATION of those that are `among` (n,) them."""
    occupations = yaml.safe_load(planted.read_text())["occupations"]
    rng = np.random.default_rng(seed)
    return {name: _draw_one(faces, among, spec, rng) for name, spec in occupations.items()}


def _draw_one(faces: Faces, among: np.ndarray, spec: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    gender, age = faces.labels["gender"], faces.labels["age"]
    weight = np.array([spec.get("race", {}).get(race, 1.0) for race in RACES])[faces.labels["race"]]
    group_of_age = np.array(
        [next((g for g, ages in enumerate(AGE_GROUPS.values()) if a in ages), -1) for a in AGES]
    )
    group = group_of_age[age]
    weight = np.where(among & (group >= 0), weight, 0.0)
    counts = {0: round(FACES_PER_OCCUPATION * spec["female"] / 100)}
    counts[1] = FACES_PER_OCCUPATION - counts[0]
    drawn = []
    for code, count in counts.items():
        pool = weight * (gender == code)
        if (ages := spec.get("age")) is not None:
            wanted = ages[VALUES["gender"][code]] if isinstance(ages, dict) else ages
            present = np.array([pool[group == g].sum() for g in range(len(AGE_GROUPS))])
            pool = pool * np.append(np.array(wanted) / present, 0.0)[group]
        # Few faces are over 60, so a face may stand for an occupation more than once.
        chance = pool / pool.sum()
        drawn.append(rng.choice(len(faces), size=count, replace=True, p=chance))
    return np.concatenate(drawn)


def shares(faces: Faces, rows: np.ndarray) -> dict[str, Any]:
    """Counts of every value, and of every gender x race x age cell that occurs, among rows."""
    result: dict[str, Any] = {"n": len(rows)}
    for name, values in VALUES.items():
        counts = np.bincount(faces.labels[name][rows], minlength=len(values))
        result[name] = dict(zip(values, counts.tolist(), strict=True))
    cells: dict[str, int] = {}
    for row in rows:
        cell = " | ".join(VALUES[name][faces.labels[name][row]] for name in VALUES)
        cells[cell] = cells.get(cell, 0) + 1
    result["joint"] = dict(sorted(cells.items()))
    return result

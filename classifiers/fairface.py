"""`fairface` and `fairface-4`: the published ResNet-34 of FairFace (Karkkainen & Joo, WACV 2021).

The authors publish two files, each a state dict of torchvision's resnet34 with 18 outputs. Of the one with
7 races, outputs 0 to 6 are race, 7 and 8 gender, 9 to 17 age. Of the one with 4 races, the authors read
outputs 0 to 3, and nothing else; so `fairface-4` reads race alone.

They were trained on faces that dlib cut out with a padding of 0.25 and turned level. Nothing in the files
says which of the two they are, so a published name is checked against what is asked for.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fairaudit.classifiers.torchvision import CropOutputs, Network, PictureOutputs, TorchvisionClassifier

from fairaudit.attributes import ATTRIBUTES
from fairaudit.cards import Card, described
from fairaudit.errors import ModelError
from fairaudit.fetching import cache_folder
from fairaudit.labelling import ClassifierRequest
from fairaudit.networks import read_state, refuse, weights_of

RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
"""In the order of the outputs, which is not this project's."""
FOUR_RACES = ("White", "Black", "Asian", "Indian")
OUTPUTS = 18
SOURCE = (
    "; the authors publish it at https://github.com/dchen236/FairFace "
    "(7 races: res34_fair_align_multi_7_20190809.pt, 4 races: fairface_alldata_4race_20191111.pt); what "
    "`fairaudit fetch ADDRESS --sha256 DIGITS` has brought by such a name is found without --weights"
)
_FILES = {
    "fairface": ("res34_fair_align_multi_7_20190809", "fairface_alldata_20191111"),
    "fairface-4": ("res34_fair_align_multi_4_20190809", "fairface_alldata_4race_20191111"),
}
_LICENCE = "of the weights not stated; data CC BY 4.0"


def _columns(values: tuple[str, ...], published: tuple[str, ...], first: int) -> dict[str, tuple[int, ...]]:
    return {value: (first + published.index(value),) for value in values}


_crop = partial(PictureOutputs, crop=CropOutputs(margin=0.25, aligned=True))

SEVEN = _crop(
    heads=(7, 2, 9),
    attributes={
        "gender": _columns(ATTRIBUTES["gender"].values, ("male", "female"), 7),
        "race": _columns(ATTRIBUTES["race"].values, RACES, 0),
        "age": _columns(ATTRIBUTES["age"].values, ATTRIBUTES["age"].values, 9),
    },
)
FOUR = _crop(heads=(4, 14), attributes={"race": _columns(FOUR_RACES, FOUR_RACES, 0)})


def _fetched(name: str) -> Path | None:
    """A published file that `fairaudit fetch` has brought."""
    places = (cache_folder() / f"{file}.pt" for file in _FILES[name])
    return next((place for place in places if place.is_file()), None)


@described(Card("gender, race, age", _LICENCE, "85 MB", partial(_fetched, "fairface"), "--weights FILE"))
def load(request: ClassifierRequest) -> TorchvisionClassifier:
    """FairFace's ResNet-34 with 7 races (Karkkainen & Joo 2021)."""
    return _load("fairface", SEVEN, request)


@described(
    Card(
        "race (White, Black, Asian, Indian)",
        _LICENCE,
        "85 MB",
        partial(_fetched, "fairface-4"),
        "--weights FILE",
    )
)
def load_four(request: ClassifierRequest) -> TorchvisionClassifier:
    """FairFace's ResNet-34 with 4 races (Karkkainen & Joo 2021)."""
    return _load("fairface-4", FOUR, request)


def _load(name: str, outputs: PictureOutputs, request: ClassifierRequest) -> TorchvisionClassifier:
    refuse(name, "outputs", request.outputs, "what its outputs mean is published; see torchvision:resnet34")
    fetched = _fetched(name) if request.weights is None else None
    weights = fetched or weights_of(request, name, SOURCE)
    _check_file(name, weights)
    network = Network("resnet34", weights, read_state(weights))
    if network.count != OUTPUTS:
        raise ModelError(f"{weights} has {network.count} outputs; those of {name} are {OUTPUTS}")
    return TorchvisionClassifier(name, network, outputs, request.device)


def _check_file(name: str, weights: Path) -> None:
    other = next(
        (key for key, files in _FILES.items() if key != name and weights.name.startswith(files)), None
    )
    if other is not None:
        raise ModelError(f"{weights} is the published file of {other}, not of {name}")

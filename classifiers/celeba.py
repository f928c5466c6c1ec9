"""`celeba`: 40 attributes that a picture has or has not, by a torchvision network trained on CelebA.

The data are Liu et al. (ICCV 2015), for non-commercial research only. The network is any of torchvision's
with 40 outputs in the order of `list_attr_celeba.txt`; which one it is follows from the weights, or from
`architecture` in `--outputs` or in the metadata of a safetensors file. `recipes/celeba.py` trains one.

`Male` is read as gender (female, male); every other attribute has its published name and the values
no, yes.
"""

from __future__ import annotations

from pathlib import Path

from fairaudit.classifiers.torchvision import (
    CropOutputs,
    Network,
    PictureOutputs,
    TorchvisionClassifier,
    build,
    outputs_of,
)

from fairaudit.cards import Card, described
from fairaudit.errors import ModelError
from fairaudit.labelling import ClassifierRequest
from fairaudit.networks import difference, read_state, weights_of

ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips",
    "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin",
    "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open",
    "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline",
    "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat",
    "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip
"""In the order of the data set's own list."""

ARCHITECTURES = (
    "resnet18", "resnet34", "resnet50", "resnet101", "mobilenet_v2", "mobilenet_v3_small",
    "mobilenet_v3_large", "efficientnet_b0", "densenet121", "vgg16", "vgg16_bn", "shufflenet_v2_x1_0",
    "squeezenet1_1", "convnext_tiny", "vit_b_16",
)  # fmt: skip
"""What is tried, in this order, where nobody says which network the weights are of."""

SOURCE = (
    "; CelebA comes without one: recipes/celeba.py trains it, or bring any network of torchvision with "
    "40 outputs"
)


def celeba_outputs(**changes: object) -> PictureOutputs:
    """What the 40 outputs mean."""
    meanings: dict[str, object] = {}
    for place, name in enumerate(ATTRIBUTES):
        if name == "Male":
            meanings["gender"] = {"female": "rest", "male": (place,)}
        else:
            meanings[name] = {"no": "rest", "yes": (place,)}
    content = {
        "activation": "sigmoid",
        "attributes": meanings,
        "crop": CropOutputs(margin=0.3, aligned=True),
        **changes,
    }
    return PictureOutputs.model_validate(content)


@described(
    Card(
        "gender and 39 attributes of CelebA",
        "of the weights their own; data for non-commercial research",
        "6 to 95 MB",
        get="--weights FILE",
    )
)
def load(request: ClassifierRequest) -> TorchvisionClassifier:
    """The 40 attributes of CelebA (Liu et al. 2015), by a torchvision network."""
    weights = weights_of(request, "celeba", SOURCE)
    outputs = outputs_of(request, weights) or celeba_outputs()
    network = _open(outputs.architecture, weights)
    if network.count != len(ATTRIBUTES):
        raise ModelError(
            f"{weights} has {network.count} outputs; CelebA has {len(ATTRIBUTES)} attributes "
            "(see torchvision:ARCH for other networks)"
        )
    calibrations = weights.parent if request.outputs is None else None
    return TorchvisionClassifier("celeba", network, outputs, request.device, calibrations)


def _open(architecture: str | None, weights: Path) -> Network:
    state = read_state(weights)
    tried = ARCHITECTURES if architecture is None else (architecture,)
    for name in tried:
        if architecture is not None or not difference(build(name, len(ATTRIBUTES)), state):
            return Network(name, weights, state)
    raise ModelError(
        f"{weights} is no network of torchvision with {len(ATTRIBUTES)} outputs that is tried "
        f"({', '.join(tried)}); say which one it is: `architecture` in --outputs"
    )

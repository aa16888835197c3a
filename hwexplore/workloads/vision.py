"""Networks of the vision catalogue: from a short description to operators and parameters.

Batch normalization is folded into the convolution before it, as every deployment does: a bias remains. Its gains and
offsets still count as parameters, as they do in the published totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hwexplore.workloads.layers import conv, fold, linear, vector
from hwexplore.workloads.onnx.elementwise import ACTIVATIONS
from hwexplore.workloads.operators import Operator
from hwexplore.workloads.primitives import OPS_PER_ELEMENT, matmul
from hwexplore.workloads.workload import Workload

__all__ = ["vision"]


def vision(name: str, description: Mapping[str, Any], batch: int, per_layer: bool) -> Workload:
    """The workload of one inference of `batch` images through the network that an entry of the catalogue describes.

    Operators that differ in nothing but their name are folded, or kept apart `per_layer`.
    """
    sizes = dict(description)
    network = Network(images=batch, channels=3, size=sizes.pop("image"), per_layer=per_layer)
    FAMILIES[sizes.pop("family")](network, **sizes)
    folded = (operator for operator, _ in fold((operator, None) for operator in network.operators))
    return Workload(
        name=name,
        phase="inference",
        batch=batch,
        context=1,
        operators=tuple(network.operators if per_layer else folded),
        parameters=network.parameters,
        active_parameters=network.parameters,
    )


@dataclass
class Network:
    """A network under construction; its last tensor is `[images, channels, size, size]`."""

    images: int
    channels: int
    size: int
    per_layer: bool
    parameters: int = 0
    operators: list[Operator] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the last tensor."""
        return self.images, self.channels, self.size, self.size

    @property
    def elements(self) -> int:
        """Elements of the last tensor."""
        return self.images * self.channels * self.size**2

    def conv(
        self, name: str, channels: int, kernel: int, stride: int = 1, groups: int = 1, activation: str | None = None
    ) -> None:
        """A convolution, padded so that only the stride changes the size, with batch normalization folded."""
        inputs, per_group = self.elements, self.channels // groups
        self.channels, self.size = channels, -(-self.size // stride)
        self.operators.append(
            conv(
                name,
                groups=groups,
                m=self.images * self.size**2,
                n=channels // groups,
                k=per_group * kernel**2,
                inputs=inputs,
                outputs=self.elements,
                bias=channels,
            )
        )
        self.parameters += channels * per_group * kernel**2 + 2 * channels
        if activation:
            self.activation(f"{name}.{activation.lower()}", activation)

    def activation(self, name: str, function: str) -> None:
        """An activation function, by its ONNX name."""
        ops = ACTIVATIONS[function] * self.elements
        self.operators.append(vector(name, "activation", self.shape, reads=self.elements, vector_ops=ops))

    def add(self, name: str) -> None:
        """A residual."""
        reads = 2 * self.elements
        self.operators.append(vector(name, "residual", self.shape, reads=reads, vector_ops=self.elements))

    def max_pool(self, name: str, kernel: int, stride: int) -> None:
        """A padded maximum pool."""
        reads, self.size = self.elements, -(-self.size // stride)
        ops = kernel**2 * self.elements
        self.operators.append(vector(name, "pooling", self.shape, reads=reads, vector_ops=ops))

    def classifier(self, classes: int) -> None:
        """The mean over positions and a linear layer."""
        shape = self.images, self.channels
        self.operators += [
            vector("average_pool", "pooling", shape, reads=self.elements, vector_ops=self.elements),
            linear("classifier", m=self.images, n=classes, k=self.channels, bias=classes),
        ]
        self.parameters += classes * (self.channels + 1)


def _resnet(network: Network, *, block: str, layers: Sequence[int], classes: int) -> None:
    """He et al., arXiv 1512.03385; the 3 x 3 convolution of a bottleneck has the stride, as in torchvision."""
    network.conv("conv1", 64, kernel=7, stride=2, activation="Relu")
    network.max_pool("max_pool", kernel=3, stride=2)
    for stage, blocks in enumerate(layers):
        for number in range(blocks):
            name, width = f"layer{stage + 1}.{number}", 64 * 2**stage
            stride = 2 if stage and not number else 1
            channels, size = network.channels, network.size
            wide = width if block == "basic" else 4 * width
            if block == "basic":
                network.conv(f"{name}.conv1", width, kernel=3, stride=stride, activation="Relu")
                network.conv(f"{name}.conv2", width, kernel=3)
            else:
                network.conv(f"{name}.conv1", width, kernel=1, activation="Relu")
                network.conv(f"{name}.conv2", width, kernel=3, stride=stride, activation="Relu")
                network.conv(f"{name}.conv3", wide, kernel=1)
            if (channels, size) != (network.channels, network.size):
                network.channels, network.size = channels, size
                network.conv(f"{name}.downsample", wide, kernel=1, stride=stride)
            network.add(f"{name}.add")
            network.activation(f"{name}.relu", "Relu")
    network.classifier(classes)


def _inverted_residuals(
    network: Network, *, stem: int, stages: Sequence[Sequence[int]], head: int, classes: int
) -> None:
    """MobileNetV2, arXiv 1801.04381; a stage is expansion, channels, blocks, stride of the first, and kernel."""
    network.conv("stem", stem, kernel=3, stride=2, activation="Clip")
    for stage, (expansion, channels, blocks, stage_stride, kernel) in enumerate(stages):
        for number in range(blocks):
            name, inputs = f"stage{stage + 1}.{number}", network.channels
            stride = 1 if number else stage_stride
            width = expansion * inputs
            if expansion > 1:
                network.conv(f"{name}.expand", width, kernel=1, activation="Clip")
            network.conv(f"{name}.depthwise", width, kernel=kernel, stride=stride, groups=width, activation="Clip")
            network.conv(f"{name}.project", channels, kernel=1)
            if stride == 1 and inputs == channels:
                network.add(f"{name}.add")
    network.conv("head", head, kernel=1, activation="Clip")
    network.classifier(classes)


def _vit(network: Network, *, patch: int, hidden: int, layers: int, heads: int, mlp: int, classes: int) -> None:
    """Dosovitskiy et al., arXiv 2010.11929: patches and a class token through a transformer encoder."""
    images, side = network.images, network.size // patch
    inputs, k = network.elements, network.channels * patch**2
    tokens = side**2 + 1
    rows, head_dim = images * tokens, hidden // heads
    elements = rows * hidden
    norm_ops, scores = OPS_PER_ELEMENT["norm"] * elements, images * heads * tokens**2
    projected = images * side**2 * hidden

    def norm(name: str) -> Operator:
        return vector(name, "norm", (rows, hidden), reads=elements, weights=2 * hidden, vector_ops=norm_ops)

    def project(name: str, n: int, k: int, to_cache: bool = False) -> Operator:
        return linear(name, m=rows, n=n, k=k, bias=n, to_cache=to_cache)

    def add(name: str) -> Operator:
        return vector(name, "residual", (rows, hidden), reads=2 * elements, vector_ops=elements)

    def name(layer: int, operator: Operator) -> Operator:
        return replace(operator, name=f"layers.{layer}.{operator.name}") if network.per_layer else operator

    layer = [
        norm("attn_norm"),
        project("q_proj", hidden, hidden),
        project("k_proj", hidden, hidden, to_cache=True),
        project("v_proj", hidden, hidden, to_cache=True),
        matmul("qk_matmul", batch=images * heads, m=tokens, n=tokens, k=head_dim),
        vector(
            "softmax",
            "softmax",
            (images, heads, tokens, tokens),
            reads=scores,
            vector_ops=OPS_PER_ELEMENT["softmax"] * scores,
        ),
        matmul("sv_matmul", batch=images * heads, m=tokens, n=head_dim, k=tokens),
        project("out_proj", hidden, hidden),
        add("attn_add"),
        norm("mlp_norm"),
        project("mlp_up", mlp, hidden),
        vector("mlp_gelu", "activation", (rows, mlp), reads=rows * mlp, vector_ops=ACTIVATIONS["Gelu"] * rows * mlp),
        project("mlp_down", hidden, mlp),
        add("mlp_add"),
    ]
    network.operators += [
        conv("patches", groups=1, m=images * side**2, n=hidden, k=k, inputs=inputs, outputs=projected, bias=hidden),
        vector(
            "positions",
            "elementwise",
            (images, tokens, hidden),
            reads=projected,
            weights=(tokens + 1) * hidden,
            vector_ops=elements,
        ),
        *(name(number, operator) for number in range(layers) for operator in layer),
        norm("final_norm"),
        linear("classifier", m=images, n=classes, k=hidden, bias=classes),
    ]
    network.parameters += hidden * (k + 1) + (tokens + 1) * hidden
    network.parameters += layers * (4 * hidden * (hidden + 1) + 2 * hidden * mlp + hidden + mlp + 4 * hidden)
    network.parameters += 2 * hidden + classes * (hidden + 1)


FAMILIES: Mapping[str, Callable[..., None]] = {
    "resnet": _resnet,
    "inverted residuals": _inverted_residuals,
    "vit": _vit,
}
"""What builds a network, by the family that its entry names."""

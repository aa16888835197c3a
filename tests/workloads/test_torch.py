"""The operators of PyTorch modules against PyTorch's own counts, its ONNX exporter, and the catalogue."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from hwexplore.errors import InputError  # noqa: E402
from hwexplore.workloads import Operator, Policy, Workload, from_torch, load  # noqa: E402

pytestmark = pytest.mark.slow


def macs(workload: Workload) -> float:
    return sum(operator.count * operator.macs for operator in workload.operators)


def counted(module: Any, *inputs: Any) -> float:
    """Multiply-accumulates as PyTorch counts them while it runs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*inputs)
    return counter.get_total_flops() / 2


def applied(function: Any, *inputs: Any) -> Workload:
    """The workload of a function."""

    class Applied(nn.Module):
        def forward(self, *arguments: Any) -> Any:
            return function(*arguments)

    return from_torch(Applied().eval(), inputs)


def only(workload: Workload) -> Operator:
    (operator,) = workload.operators
    assert not workload.unmodelled
    return operator


class Block(nn.Module):
    """Two convolutions beside a shortcut (arXiv 1512.03385)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.downsample = nn.Sequential(*shortcut) if stride > 1 else nn.Identity()

    def forward(self, x: Any) -> Any:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return self.relu(y)


def resnet_18() -> Any:
    stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    stages = [(64, 64, 1), (64, 64, 1)]
    for inputs, width in ((64, 128), (128, 256), (256, 512)):
        stages += [(inputs, width, 2), (width, width, 1)]
    blocks = [Block(*sizes) for sizes in stages]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()


def test_resnet_18_is_that_of_the_catalogue() -> None:
    """Normalization stays apart here; the catalogue folds it into the convolutions."""
    with torch.device("meta"):
        module, images = resnet_18(), torch.zeros(2, 3, 224, 224)
    workload, built = from_torch(module, (images,), name="resnet-18"), load("resnet-18", batch=2)

    def rows(workload: Workload, *kinds: str) -> Counter[tuple[Any, ...]]:
        found: Counter[tuple[Any, ...]] = Counter()
        for o in workload.operators:
            if o.kind in kinds:
                kind = "elementwise" if o.kind == "residual" else o.kind
                key = (kind, o.batch, o.m * o.n, o.k, o.macs, o.activation_elements, o.output_elements, o.vector_ops)
                found[key] += int(o.count)
        return found

    kinds = "conv", "linear", "pooling", "activation", "elementwise", "residual"
    assert rows(workload, *kinds) == rows(built, *kinds)
    assert workload.parameters == workload.active_parameters == built.parameters == 11_689_512
    norms = [o for o in workload.operators if o.kind == "norm"]
    assert sum(o.count for o in norms) == 20
    assert workload.weight_elements == workload.parameters
    assert (workload.setting, workload.unmodelled) == ("resnet-18 inference, batch 2", ())


def random_convolutions(seed: int) -> tuple[Any, Any]:
    """A few layers on 2-D images, or on series, and the input."""
    choose = random.Random(seed)
    rank, channels = choose.choice((1, 2)), 2 * choose.randint(1, 4)
    plain, transposed = ((nn.Conv1d, nn.ConvTranspose1d), (nn.Conv2d, nn.ConvTranspose2d))[rank - 1]
    x = torch.zeros(choose.randint(1, 3), channels, *(choose.randint(9, 12) for _ in range(rank)))
    layers = []
    for _ in range(choose.randint(1, 4)):
        width = 2 * choose.randint(1, 4)
        settings = {
            "groups": choose.choice((1, 2)),
            "stride": choose.choice((1, 2)),
            "padding": choose.choice((0, 1)),
            "bias": choose.choice((False, True)),
        }
        kind = choose.choice((plain, plain, transposed))
        layers += [kind(channels, width, choose.choice((1, 3)), **settings), choose.choice((nn.ReLU, nn.GELU))()]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(5)).eval(), x


@pytest.mark.parametrize("seed", range(12))
def test_convolutions_have_the_products_that_pytorch_counts(seed: int) -> None:
    module, x = random_convolutions(seed)
    expected = counted(module, x)
    workload = from_torch(module, (x,))
    assert macs(workload) == expected
    assert workload.weight_elements == workload.parameters == sum(p.numel() for p in module.parameters())
    assert workload.batch == len(x)
    assert not workload.unmodelled


def test_convolutions_of_one_image_follow_each_other() -> None:
    module, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)).eval(), torch.zeros(3, 8, 8)
    assert macs(from_torch(module, (x,))) == 36 * 4 * 27 + 16 * 2 * 36


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer(batch_first: bool, norm_first: bool) -> None:
    """Parameters that are not trained do not bring the fused layer of inference in."""
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=batch_first, norm_first=norm_first, activation="gelu")
    x = torch.zeros(6, 2, 32) if not batch_first else torch.zeros(2, 6, 32)
    layer.eval().requires_grad_(False)
    fused = torch.backends.mha.get_fastpath_enabled()
    workload = from_torch(layer, (x,))
    assert torch.backends.mha.get_fastpath_enabled() == fused
    tokens, kinds = 12, Counter[str]()
    for o in workload.operators:
        kinds[o.kind] += int(o.count)
    assert macs(workload) == tokens * (4 * 32**2 + 2 * 32 * 64) + 2 * 2 * 4 * 6 * 6 * 8
    assert (kinds["linear"], kinds["attention"], kinds["softmax"], kinds["norm"]) == (4, 2, 1, 2)
    assert (kinds["activation"], kinds["elementwise"]) == (1, 2)
    assert workload.weight_elements == workload.parameters
    assert not workload.unmodelled
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        assert macs(workload) == counted(layer, x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


@pytest.mark.parametrize("batched", [False, True])
def test_attention_with_weights_and_a_mask(batched: bool) -> None:
    attention = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    x, mask = (torch.zeros(3, 5, 16) if batched else torch.zeros(5, 16)), torch.zeros(5, 5)

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, x: Any, mask: Any) -> Any:
            return self.attention(x, x, x, attn_mask=mask)

    workload = from_torch(Masked().eval(), (x, mask))
    assert macs(workload) == counted(Masked().eval(), x, mask)
    assert any(o.kind == "elementwise" and o.activation_elements > o.output_elements for o in workload.operators)
    assert not workload.unmodelled


@pytest.mark.parametrize(
    ("query", "kv"),
    [
        ((2, 8, 5, 4), (2, 2, 7, 4)),
        ((2, 3, 5, 4), (2, 3, 7, 4)),
        ((3, 5, 4), (3, 7, 4)),
        ((5, 4), (7, 4)),
        ((2, 3, 2, 5, 4), (2, 3, 2, 5, 4)),
    ],
)
def test_attention_by_heads(query: tuple[int, ...], kv: tuple[int, ...]) -> None:
    """Query heads that share keys ride in m."""

    def attend(q: Any, k: Any) -> Any:
        grouped = len(q.shape) == 4 and q.shape[1] != k.shape[1]
        return functional.scaled_dot_product_attention(q, k, k, enable_gqa=grouped)

    scores, softmax, values = applied(attend, torch.zeros(query), torch.zeros(kv)).operators
    pairs = torch.zeros(query).numel() // 4 * kv[-2]
    assert [o.kind for o in (scores, softmax, values)] == ["attention", "softmax", "attention"]
    assert scores.macs == values.macs == 4 * pairs
    assert softmax.output_elements == scores.output_elements == pairs
    assert scores.kv_elements == values.kv_elements == torch.zeros(kv).numel()


PRODUCTS = {
    "mm": (torch.mm, (3, 4), (4, 5)),
    "bmm": (torch.bmm, (2, 3, 4), (2, 4, 5)),
    "matmul": (torch.matmul, (2, 1, 3, 4), (5, 4, 6)),
    "addmm": (torch.addmm, (3, 5), (3, 4), (4, 5)),
    "baddbmm": (torch.baddbmm, (2, 3, 5), (2, 3, 4), (2, 4, 5)),
    "einsum": (lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), (2, 3, 4, 5), (2, 3, 6, 5)),
    "linear": (functional.linear, (2, 3, 4), (5, 4), (5,)),
    "conv2d": (functional.conv2d, (2, 3, 8, 8), (4, 3, 3, 3)),
    "conv2d of one image": (functional.conv2d, (3, 8, 8), (4, 3, 3, 3)),
    "conv3d": (functional.conv3d, (1, 2, 4, 4, 4), (3, 2, 2, 2, 2)),
    "same": (lambda x, w: functional.conv2d(x, w, padding="same"), (2, 3, 8, 8), (4, 3, 3, 3)),
    "conv_transpose2d of one image": (functional.conv_transpose2d, (3, 8, 8), (3, 4, 2, 2)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    function, *shapes = PRODUCTS[name]
    inputs = [torch.zeros(shape) for shape in shapes]  # type: ignore[arg-type]
    workload = applied(function, *inputs)
    product = next(o for o in workload.operators if o.is_gemm)
    with FlopCounterMode(display=False) as counter:
        output = function(*inputs)  # type: ignore[operator]
    assert macs(workload) == counter.get_total_flops() / 2
    assert product.output_elements == output.numel()
    assert not workload.unmodelled


X = torch.zeros(2, 4, 6, 6)
VECTOR = {
    "relu": (functional.relu, "activation", 1),
    "silu": (functional.silu, "activation", 4),
    "glu": (lambda x: functional.glu(x, 1), "activation", 4),
    "hardtanh": (functional.relu6, "activation", 2),
    "add": (lambda x: x + 1, "elementwise", 1),
    "addcmul": (lambda x: torch.addcmul(x, x + 0, x), "elementwise", None),
    "maximum": (lambda x: torch.max(x, x), "elementwise", 1),
    "max": (lambda x: x.max(1).values, "reduction", 4),
    "sum": (lambda x: x.sum(), "reduction", 288),
    "mean": (lambda x: x.mean((2, 3)), "reduction", 36),
    "cast": (lambda x: x.to(torch.float16), "elementwise", 1),
    "softmax": (lambda x: x.softmax(1), "softmax", 5),
    "layer_norm": (lambda x: functional.layer_norm(x, (6,)), "norm", 7),
    "batch_norm": (lambda x: functional.batch_norm(x, torch.zeros(4), torch.ones(4)), "norm", 2),
    "group_norm": (lambda x: functional.group_norm(x, 2), "norm", 7),
    "instance_norm": (functional.instance_norm, "norm", 7),
    "statistics of the batch": (lambda x: functional.batch_norm(x, None, None, training=True), "norm", 7),
    "max_pool": (lambda x: functional.max_pool2d(x, 3, 2), "pooling", 9),
    "max_pool with indices": (
        lambda x: functional.max_pool2d(x, (2, 3), return_indices=True)[0],
        "pooling",
        6,
    ),
    "avg_pool": (lambda x: functional.avg_pool2d(x, 2), "pooling", 4),
    "adaptive": (lambda x: functional.adaptive_avg_pool2d(x, (2, 4)), "pooling", 6),
    "nearest": (lambda x: functional.interpolate(x, scale_factor=2), "resize", 0),
    "bilinear": (lambda x: functional.interpolate(x, size=(9, 9), mode="bilinear"), "resize", 7),
    "bicubic": (lambda x: functional.interpolate(x, size=(9, 9), mode="bicubic"), "resize", 31),
    "transpose": (lambda x: x.transpose(1, 2), "movement", 0),
    "cat": (lambda x: torch.cat([x, x], 1), "movement", 0),
    "slice": (lambda x: x[:, 1:3], "movement", 0),
    "pad": (lambda x: functional.pad(x, (1, 1)), "movement", 0),
}
"""A function, the kind of its operator, and its vector operations per element of the output."""


@pytest.mark.parametrize("name", VECTOR)
def test_the_vector_unit(name: str) -> None:
    function, kind, ops = VECTOR[name]
    workload, output = applied(function, X), function(X)
    operator = workload.operators[-1]
    assert operator.kind == kind
    assert operator.output_elements == operator.m * operator.n == output.numel()
    assert operator.vector_ops == (2 if ops is None else ops) * output.numel()
    assert not workload.unmodelled
    if ops is not None:
        assert only(workload).activation_elements <= X.numel()


def test_parts_of_a_split_are_written_once() -> None:
    workload = applied(lambda x: [part.relu() for part in x.split((1, 3), dim=1)], X)
    split, *parts = workload.operators
    assert (split.kind, split.activation_elements, split.output_elements) == ("movement", X.numel(), X.numel())
    assert [part.output_elements for part in parts] == [X.numel() / 4, 3 * X.numel() / 4]


def test_views_and_what_is_known_beforehand_cost_nothing() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6, 5))
            self.register_buffer("scale", torch.ones(6))
            self.dropout = nn.Dropout()

        def forward(self, x: Any) -> Any:
            x = self.dropout(x.flatten(0, 2).reshape(-1, 2, 6).view(-1, 6).contiguous()).expand(48, 6)
            offset = torch.arange(5) + torch.zeros_like(x[:1, :5])
            return x @ (self.weight * self.scale[:, None]) + offset.exp()

    workload = from_torch(Scaled().eval(), (X,))
    assert [o.kind for o in workload.operators if o.macs] == ["linear"]
    assert {o.name for o in workload.operators} >= {"MatMul", "Add"}
    assert not any(o.name.startswith(("Mul", "Exp", "Cast")) for o in workload.operators)
    assert workload.parameters == 30


def test_state_that_changes_is_no_constant() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("state", torch.zeros(2, 4, 6, 6))

        def forward(self, x: Any) -> Any:
            self.state.add_(1)
            return x + self.state

    first, second = from_torch(Counting().eval(), (X,)).operators
    assert (first.weight_elements, first.activation_elements) == (0, X.numel())
    assert (second.weight_elements, second.activation_elements) == (0, 2 * X.numel())


def test_embeddings_read_a_row_per_token() -> None:
    operator = only(from_torch(nn.Embedding(100, 16).eval(), (torch.zeros(2, 3, dtype=torch.long),)))
    assert (operator.kind, operator.weight_elements, operator.output_elements) == ("embedding", 96, 96)


@pytest.mark.filterwarnings("ignore:The tensor attributes self.lstm")
def test_what_is_not_modelled_is_listed() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 8), nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0]) + torch.rand(2)

    workload = from_torch(Recurrent().eval(), (torch.zeros(5, 3, 4),))
    assert [o.name for o in workload.operators] == ["head.Gemm", "Add"]
    lstm, rand = workload.unmodelled
    assert (lstm.name, lstm.op_type) == ("lstm.aten.lstm.input", "aten.lstm.input")
    assert lstm.reason == "operator type aten.lstm.input is not modelled"
    assert lstm.elements == 60 + 448 + 120 + 4 * 24
    assert rand.op_type == "aten.rand.default"


def test_operators_of_others_are_listed() -> None:
    @torch.library.custom_op("hwexplore_tests::half", mutates_args=())
    def half(x: torch.Tensor) -> torch.Tensor:
        return x / 2

    half.register_fake(torch.empty_like)
    workload = applied(lambda x: half(x).relu(), X)
    assert [(row.op_type, row.elements) for row in workload.unmodelled] == [
        ("hwexplore_tests.half.default", 2 * X.numel())
    ]
    assert [o.kind for o in workload.operators] == ["activation"]


def test_branches_and_sizes_that_depend_on_data_are_listed() -> None:
    branch = applied(lambda x: torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,)), X)
    assert [row.op_type for row in branch.unmodelled] == ["cond"]
    sizes = applied(lambda x: x.nonzero().float(), X)
    assert all("is not known" in row.reason for row in sizes.unmodelled)
    assert [row.elements for row in sizes.unmodelled] == [None, None]


def test_names_are_paths() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.AvgPool1d(2), nn.Linear(2, 3)), nn.MaxPool1d(3)).eval()
    workload = from_torch(module, (torch.zeros(1, 4),))
    assert [o.name for o in workload.operators] == ["0.Gemm", "1.0.AveragePool", "1.1.Gemm", "2.MaxPool"]
    assert workload.name == "Sequential"
    assert workload.operands(Policy(overrides={"1.1": {"weights": "int8"}}))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_table_is_that_of_the_onnx_import(tmp_path: Path) -> None:
    """PyTorch's exporter to ONNX writes the same network; its reshapes of constants and biases may differ."""
    pytest.importorskip("onnx")
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, groups=8)),
        *(nn.Hardswish(), nn.ConvTranspose2d(8, 4, 2, 2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(16, 10), nn.Softmax(1)),
    ).eval()
    x, path = torch.zeros(2, 3, 8, 8), tmp_path / "network.onnx"
    torch.onnx.export(module, (x,), str(path), dynamo=False)
    columns = [name for name in load(path).to_frame(Policy()).columns if name != "name"]
    given, imported = (w.to_frame(Policy())[columns] for w in (from_torch(module, (x,)), load(path)))
    assert given.to_dict("records") == imported.to_dict("records")


def test_refusals() -> None:
    x = torch.zeros(1, 4)
    linear = nn.Linear(4, 4)
    with pytest.raises(InputError, match=r"Linear is in training mode; .* call its eval\(\) first"):
        from_torch(linear, (x,))
    with pytest.raises(InputError, match=r"example_inputs is a Tensor; expected a tuple"):
        from_torch(linear.eval(), x)
    with pytest.raises(InputError, match=r"expected a torch\.nn\.Module"):
        from_torch(len, (x,))
    with pytest.raises(InputError, match="Linear cannot be exported: "):
        from_torch(linear, (torch.zeros(1, 5),))
    with pytest.raises(InputError, match="Identity computes nothing"):
        from_torch(nn.Identity().eval(), (x,))

"""The network of EfficientNet-Lite0, under timm's names of its layers.

timm would do; importing it, with torchvision before it, takes longer than to look at a hundred
pictures.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

STEM, WIDTH, CLASSES = 32, 1280, 1000
EXPANSION = 6
EPSILON = 1e-3  # of batch normalisation
STAGES = (  # blocks, side of the filters, stride, channels
    (1, 3, 1, 16),
    (2, 3, 2, 24),
    (2, 5, 2, 40),
    (3, 3, 2, 80),
    (3, 5, 1, 112),
    (4, 5, 2, 192),
    (1, 3, 1, 320),
)


class Convolution(nn.Conv2d):
    """A convolution padded as TensorFlow does, which is uneven where it strides."""

    def __init__(self, before: int, after: int, side: int, stride: int = 1, groups: int = 1):
        even = side // 2 if stride == 1 else 0
        super().__init__(before, after, side, stride, even, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        (side, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1:
            return super().forward(maps)
        lacking = [max(-size % stride + side - stride, 0) for size in maps.shape[:1:-1]]
        halves = [half for each in lacking for half in (each // 2, each - each // 2)]
        return super().forward(pad(maps, halves))


class Norm(nn.BatchNorm2d):
    """Batch normalisation, and values kept between 0 and 6 after it."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        return relu6(super().forward(maps), inplace=True)


class First(nn.Module):
    """A block that does not expand its channels."""

    def __init__(self, before: int, after: int, side: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = Convolution(before, before, side, stride, groups=before)
        self.bn1 = Norm(before)
        self.conv_pw = Convolution(before, after, 1)
        self.bn2 = nn.BatchNorm2d(after, EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        narrow: Tensor = self.bn2(self.conv_pw(self.bn1(self.conv_dw(maps))))
        return narrow


class Block(nn.Module):
    """Expand the channels, look at each by itself, and narrow them again."""

    def __init__(self, before: int, after: int, side: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * before
        self.conv_pw = Convolution(before, wide, 1)
        self.bn1 = Norm(wide)
        self.conv_dw = Convolution(wide, wide, side, stride, groups=wide)
        self.bn2 = Norm(wide)
        self.conv_pwl = Convolution(wide, after, 1)
        self.bn3 = nn.BatchNorm2d(after, EPSILON)
        self.adds = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        wide = self.bn2(self.conv_dw(self.bn1(self.conv_pw(maps))))
        narrow: Tensor = self.bn3(self.conv_pwl(wide))
        return maps + narrow if self.adds else narrow


class EfficientNetLite(nn.Module):
    """Stages of blocks between a stem and a head; ``classifier`` reads classes off the features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = Convolution(3, STEM, 3, 2), Norm(STEM)
        self.blocks = nn.Sequential(*_stages())
        self.conv_head, self.bn2 = Convolution(STAGES[-1][-1], WIDTH, 1), Norm(WIDTH)
        self.classifier = nn.Linear(WIDTH, CLASSES)

    def stem(self, pictures: Tensor) -> Tensor:
        """Return the maps before the first block."""
        maps: Tensor = self.bn1(self.conv_stem(pictures))
        return maps

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the pooled features (B, 1280)."""
        maps: Tensor = self.bn2(self.conv_head(self.blocks(self.stem(pictures))))
        return maps.mean((2, 3))


def empty() -> EfficientNetLite:
    """Return the network without weights, which takes no memory."""
    with torch.device("meta"):
        return EfficientNetLite()


def _stages() -> Iterable[nn.Sequential]:
    before = STEM
    for count, side, stride, after in STAGES:
        kind = First if before == STEM else Block
        blocks = [kind(before, after, side, stride)]
        blocks += [kind(after, after, side, 1) for _ in range(count - 1)]
        yield nn.Sequential(*blocks)
        before = after

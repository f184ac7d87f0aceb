"""How far generated pictures are, as a set, from held-out ones."""

from torch import Tensor

from training.engine.evaluation import metrics
from training.engine.evaluation.intervals import entries

FEWEST = 20  # pictures of which a distance is worth reporting


def measure(generated: Tensor, real: Tensor, training: Tensor, judge: str) -> dict[str, float]:
    """Return KID, CMMD, density and coverage of unit features (n, E) by the ``judge`` named.

    Beside them stand those of ``training`` pictures against the same ``real`` ones.
    """
    figures = {
        **entries(
            f"kid@{judge}",
            metrics.kid(real, generated),
            floor=metrics.kid(real, training).value,
        ),
        **entries(
            f"cmmd@{judge}",
            metrics.cmmd(real, generated),
            floor=metrics.cmmd(real, training).value,
        ),
    }
    of_generated = metrics.density_and_coverage(real, generated)
    of_training = metrics.density_and_coverage(real, training)
    for name, figure, like in zip(("density", "coverage"), of_generated, of_training, strict=True):
        figures |= entries(f"{name}@{judge}", figure, real_training=like.value)
    return figures

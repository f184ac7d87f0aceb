"""torch's optimizers without its compiler, which takes as long to import as torch itself.

torch wraps their methods to keep its compiler out of them, and imports it for that. They are never
compiled here, so the methods within the wrappers do.
"""

from inspect import unwrap

import torch
from torch.optim import Optimizer


class _Plain(Optimizer):
    """What all optimizers have in common."""

    add_param_group = unwrap(Optimizer.add_param_group)
    load_state_dict = unwrap(Optimizer.load_state_dict)
    state_dict = unwrap(Optimizer.state_dict)
    zero_grad = unwrap(Optimizer.zero_grad)


class AdamW(_Plain, torch.optim.AdamW):
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))


class LBFGS(_Plain, torch.optim.LBFGS):
    pass

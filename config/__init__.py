"""The composition root: settings, addresses, processes. The only package that knows both apps."""

import gc

gc.set_threshold(20_000, 20, 20)  # a fifth of a start was spent on looking for garbage

"""Work in batches."""

import pytest

from labeling.batches import batched


@pytest.mark.parametrize(
    ("count", "batches"),
    [(0, []), (2, [[0, 1]]), (3, [[0, 1, 2]]), (5, [[0, 1, 2], [3, 4]])],
)
def test_every_item_is_in_one_batch_in_order(count, batches):
    assert list(batched(range(count), 3)) == batches


def test_it_reads_no_further_than_the_batch_at_hand():
    items = iter(range(10))
    assert next(batched(items, 4)) == [0, 1, 2, 3]
    assert next(items) == 4

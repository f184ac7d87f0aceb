"""Images that lie elsewhere are fetched whole, by however many workers at the same time."""

import io
from pathlib import Path

from labeling.models import Image
from training import predictions


class RemoteStorage:
    """A storage whose files have no path on this machine."""

    def path(self, name):
        raise NotImplementedError

    def open(self, name):
        return io.BytesIO(b"a picture")


def test_two_workers_who_fetch_the_same_image_do_not_share_a_draft(tmp_path, settings, monkeypatch):
    """The other one begins, and is done, before the first moves its draft in place."""
    settings.CACHE_ROOT = tmp_path
    monkeypatch.setattr(predictions, "default_storage", RemoteStorage())
    image, write = Image(file="images/cat.png", width=1, height=1), Path.write_bytes

    def interrupted(path, data):
        monkeypatch.setattr(Path, "write_bytes", write)
        count = write(path, data)
        predictions._local_path(image)
        return count

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    assert Path(predictions._local_path(image)).read_bytes() == b"a picture"
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["cat.png"]

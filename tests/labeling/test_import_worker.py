"""An upload that a real worker reads and imports, which dies in the middle."""

import signal

from django.utils import timezone

from labeling import tasks
from labeling.models import Import, Project
from tests.labeling.imports.uploading import upload
from tests.pictures import png
from tests.waiting import wait_until


def state() -> str:
    return Import.objects.get().state


def test_another_worker_goes_on_where_one_was_killed(start_worker, carol):
    birds = Project.objects.create(slug="birds", name="Birds")
    files = {f"owl/{number}.png": png(number) for number in range(30)}
    first = start_worker()
    record = upload(birds, carol, files, concepts=["owl"])
    tasks.advance_later(record)
    wait_until(lambda: state() != "reading")
    first.send_signal(signal.SIGKILL)
    first.wait()
    Import.objects.filter(state="importing").update(lease_until=timezone.now())
    start_worker()
    tasks.advance_import.delay(record.pk)
    wait_until(lambda: state() == "done", explain=lambda: Import.objects.get().error)
    assert Import.objects.get().counts["taken"] == birds.images.count() == 30

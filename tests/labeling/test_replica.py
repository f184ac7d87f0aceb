"""What takes long is read from a real standby, as long as it has all that was stored before."""

import os
import signal
from collections.abc import Iterator

import pytest
import pytest_django
from django.db import OperationalError, connection, connections, transaction

from config.checks.replica import check_replica
from config.servers.paths import PORT, make_data_dir, make_socket_dir, socket_dir
from labeling import project_stats, replica, review_order, snapshots
from labeling.models import Project, Question, Snapshot
from tests.labeling.standby import Standby

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def standby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standby]:
    if not Standby.program().exists():
        pytest.skip("this PostgreSQL comes without pg_basebackup")
    folder = tmp_path_factory.mktemp("standby")
    make_data_dir(folder)
    make_socket_dir(folder)
    standby = Standby(folder)
    standby.start()
    yield standby
    standby.remove()


@pytest.fixture(autouse=True)
def connected(
    standby: Standby,
    monkeypatch: pytest.MonkeyPatch,
    transactional_db: None,
    django_db_blocker: pytest_django.DjangoDbBlocker,
) -> Iterator[None]:
    """Name the standby in the settings, and flush what is committed, as servers do."""
    monkeypatch.setattr(replica, "_away_until", None)
    settings = connections["default"].settings_dict
    here = {**settings, "HOST": str(socket_dir(standby.data_dir)), "PORT": str(PORT)}
    monkeypatch.setitem(connections.settings, replica.ALIAS, here)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    with django_db_blocker.unblock():  # it is no database that Django's tests know
        yield
    connections[replica.ALIAS].close()
    del connections[replica.ALIAS]
    connection.close()


def is_on_standby() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        return bool(cursor.fetchone()[0])


def ask_standby(query: str) -> None:
    with connections[replica.ALIAS].cursor() as cursor:
        cursor.execute(query)


def test_a_reader_reads_there_what_was_just_stored():
    for number in range(5):
        Project.objects.create(slug=f"garden-{number}", name="Garden")
        assert replica.read(lambda: (is_on_standby(), Project.objects.count())) == (
            True,
            number + 1,
        )
    assert not is_on_standby()


def test_statistics_and_the_order_of_review_are_read_there(shapes, monkeypatch):
    read = []
    monkeypatch.setattr(replica, "read", lambda work: read.append(work) or work())
    project_stats.progress(shapes)
    review_order.after(Question.objects.all(), None, 3)
    assert len(read) == 2


def test_snapshots_are_read_there(shapes, monkeypatch):
    read = []
    write_rows = snapshots._write_rows

    def watched(*arguments: object) -> object:
        read.append(is_on_standby())
        return write_rows(*arguments)

    monkeypatch.setattr(snapshots, "_write_rows", watched)
    frozen = snapshots.freeze(project=shapes)
    assert frozen.state == Snapshot.State.READY and read == [True]


def test_nothing_can_be_written_there(shapes):
    with pytest.raises(Exception, match="read-only"):
        replica.read(lambda: Project.objects.update(name="Other"))


def test_a_transaction_reads_its_own_changes():
    with transaction.atomic():
        Project.objects.create(slug="garden", name="Garden")
        assert replica.read(lambda: (is_on_standby(), Project.objects.count())) == (False, 1)


def test_a_standby_that_is_too_far_behind_is_not_read(settings, monkeypatch, caplog):
    settings.DATABASE_REPLICA_SECONDS = 0
    ask_standby("SELECT pg_wal_replay_pause()")
    try:
        Project.objects.create(slug="garden", name="Garden")
        for _ in range(2):
            assert replica.read(lambda: (is_on_standby(), Project.objects.count())) == (False, 1)
    finally:
        ask_standby("SELECT pg_wal_replay_resume()")
    settings.DATABASE_REPLICA_SECONDS = 20
    monkeypatch.setattr(replica, "_away_until", 0.0)
    assert replica.read(is_on_standby)
    assert [record.message for record in caplog.records if record.name == replica.__name__] == [
        "The replica is not used, the database itself is read: it is too far behind",
        "The replica is used again.",
    ]


def test_work_is_done_again_where_the_standby_dies_in_the_middle(standby):
    asked = []

    def work() -> bool:
        asked.append(is_on_standby())
        if asked == [True]:
            assert standby.process
            os.kill(standby.process.pid, signal.SIGQUIT)
            standby.process.wait()
        return is_on_standby()

    try:
        assert replica.read(work) is False
        assert asked == [True, False]
        assert replica.read(is_on_standby) is False
    finally:
        standby.start()


def test_errors_of_the_work_itself_are_its_own(monkeypatch):
    def work() -> None:
        raise ValueError("no figures")

    with pytest.raises(ValueError, match="no figures"):
        replica.read(work)
    assert connection.alias == "default" and not is_on_standby()


def test_what_fails_everywhere_fails():
    def work() -> None:
        raise OperationalError("everywhere")

    with pytest.raises(OperationalError, match="everywhere"):
        replica.read(work)


def test_without_a_replica_the_database_is_read(monkeypatch):
    with monkeypatch.context() as patch:
        patch.delitem(connections.settings, replica.ALIAS)
        assert replica.connection() is connections["default"]


def test_a_process_begins_with_a_standby_of_its_own_database_alone(monkeypatch):
    assert check_replica() == []
    settings = connections.settings[replica.ALIAS]
    for wrong in ({"HOST": connections["default"].settings_dict["HOST"]}, {"NAME": "postgres"}):
        connections[replica.ALIAS].close()
        del connections[replica.ALIAS]
        monkeypatch.setitem(connections.settings, replica.ALIAS, settings | wrong)
        (error,) = check_replica()
        assert error.is_serious() and "leads to no standby" in error.msg

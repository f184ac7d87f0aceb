"""An installation on many machines: what runs where, with which settings."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg

from config.servers import identity, postgresql, programs
from tests.chaos import rooms
from tests.chaos.installing import Programs
from tests.chaos.parts import Part, Parts

ROOT = Path(__file__).parents[2]
WEB, WORKERS = ("web1", "web2"), ("worker1", "worker2")
MACHINES = [
    *("postgresql", "standby", "pgbouncer", "valkey", "s3"),
    *(*WEB, *WORKERS, "beat", "front", "people", "desk"),
]
NAME = "labels.example.org"
BUCKET = "tessera"
KEY, SECRET = "chaos", "chaos-secret"
WEB_PORT, VALKEY_PORT, S3_PORT, PGBOUNCER_PORT = 8000, 6379, 8333, 6432
PATIENCE = 300.0  # seconds
LIBRARIES = ROOT / ".venv"

POSTGRESQL = {
    "listen_addresses": "*",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "wal_level": "replica",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
    "hot_standby": "on",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "wal_receiver_timeout": "10s",
    "wal_sender_timeout": "10s",
}
PGBOUNCER = """[databases]
tessera = host={host} port=5432 user=tessera
[pgbouncer]
listen_addr = *
listen_port = {port}
auth_type = any
pool_mode = transaction
max_client_conn = 400
default_pool_size = 30
server_login_retry = 1
server_connect_timeout = 3
server_check_delay = 1
tcp_keepalive = 1
tcp_keepidle = 5
tcp_keepintvl = 2
tcp_keepcnt = 3
tcp_user_timeout = 10000
ignore_startup_parameters = extra_float_digits
logfile =
pidfile =
"""
CADDY = """
{{
    admin off
    auto_https disable_redirects
    local_certs
    skip_install_trust
    storage file_system {folder}
}}
{name} {{
    reverse_proxy {upstreams} {{
        lb_policy least_conn
        lb_try_duration 10s
        lb_try_interval 250ms
        fail_duration 2s
        transport http {{
            dial_timeout 2s
        }}
    }}
}}
"""


class Failure(Exception):
    """Something did not come about; the message says what."""


def wait_for(condition: Callable[[], object], name: str, patience: float = PATIENCE) -> float:
    """Return once the condition holds, with the seconds that it took. Raises Failure."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > patience:
            raise Failure(f"It never came about that {name}.")
        time.sleep(0.1)
    return time.monotonic() - start


class Installation:
    """All parts, each on its machine, with folders that no other machine sees."""

    def __init__(self, parts: Parts, programs: Programs, folder: Path) -> None:
        self.parts, self.programs, self._folder = parts, programs, folder
        self.problems: list[str] = []  # that a scenario has found
        self._identity = identity.choose()

    def start(self) -> None:
        """Start everything, in the order in which one thing needs another."""
        self._start_postgresql()
        self._start_standby()
        self._start_pgbouncer()
        self._start_valkey()
        self._start_s3()
        near = f"postgresql://tessera@{self.parts.address('postgresql')}:5432/tessera"
        self.manage("migrate", "-v", "0", machine="postgresql", DATABASE_URL=near)
        for name in WEB:
            self._start_ours(name, "serve", "--host", "0.0.0.0", "--port", str(WEB_PORT))
        for name in WORKERS:
            self._start_ours(name, "worker")
        self._start_ours("beat", "beat")
        self._start_front()

    def settings(self, machine: str) -> dict[str, str]:
        """Return the environment of Tessera's own processes on a machine."""
        where = self.parts.address
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DATA_DIR": str(self.folder(machine) / "data"),
            "SECRET_KEY": "the same on all machines, for the signatures of challenges",
            "ALLOWED_HOSTS": f"{NAME},{','.join(where(each) for each in WEB)}",
            "CSRF_TRUSTED_ORIGINS": f"https://{NAME}",
            "HTTPS": "1",
            "PROXIES": "1",
            "DATABASE_URL": f"postgresql://tessera@{where('pgbouncer')}:{PGBOUNCER_PORT}/tessera",
            "CELERY_BROKER_URL": f"redis://{where('valkey')}:{VALKEY_PORT}/0",
            "FILE_STORAGE": f"s3://{BUCKET}?endpoint_url=http://{where('s3')}:{S3_PORT}"
            "&region_name=us-east-1&addressing_style=path",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "NEWCOMERS_PER_ADDRESS": "1000",
            "UPLOAD_MIN_FREE_BYTES": str(1 << 20),  # the disks are small
            "CHALLENGE_RATE": "1000",
            "TRAINING_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "ENV_FILE": "",
        }

    def manage(self, *words: str, machine: str = "desk", **settings: str) -> str:
        """Run a management command; return what it printed. Raises Failure."""
        result = subprocess.run(
            ["ip", "netns", "exec", machine, sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.settings(machine) | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise Failure(f"manage.py {' '.join(words)}: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def database(self, machine: str = "postgresql") -> "psycopg.Connection[tuple[object, ...]]":
        """Connect to a database server itself, not by way of the pooler."""
        return psycopg.connect(
            host=self.parts.address(machine),
            user="tessera",
            dbname="tessera",
            autocommit=True,
            connect_timeout=5,
        )

    @property
    def authority(self) -> Path:
        """The certificate of the authority behind the front's own."""
        return self.folder("front") / "pki" / "authorities" / "local" / "root.crt"

    def folder(self, machine: str) -> Path:
        """Return the folder of a machine, which no other sees."""
        folder = self._folder / machine
        if not folder.exists():
            folder.mkdir(mode=0o700)
            rooms.make(folder)
        return folder

    def _start_ours(self, name: str, *words: str) -> None:
        command = [sys.executable, "manage.py", *words]
        self.parts.start(Part(name, command, self.settings(name), ROOT))

    def _start_postgresql(self) -> None:
        folder = self.folder("postgresql") / "cluster"
        folder.mkdir(mode=0o700)
        identity.give(folder, self._identity.owner)
        self._run([*self._identity.prefix, *postgresql.initdb(folder)])
        with (folder / "pg_hba.conf").open("a") as rules:
            rules.write(
                "host all all 10.77.0.0/24 trust\nhost replication all 10.77.0.0/24 trust\n"
            )
        self._start_cluster("postgresql", folder, POSTGRESQL)
        wait_for(lambda: self._answers("postgres"), "PostgreSQL answers")
        with psycopg.connect(
            host=self.parts.address("postgresql"), user="tessera", dbname="postgres"
        ) as connection:
            connection.autocommit = True
            connection.execute("CREATE DATABASE tessera")

    def _start_standby(self) -> None:
        folder = self.folder("standby") / "cluster"
        command = [
            str(programs.find_postgresql() / "pg_basebackup"),
            "-D",
            str(folder),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ]
        command += ["-h", self.parts.address("postgresql"), "-U", "tessera", "-C", "-S", "standby"]
        self._run(["ip", "netns", "exec", "standby", *command])
        identity.give(folder, self._identity.owner)
        self._start_cluster("standby", folder, POSTGRESQL)
        wait_for(lambda: self._answers("tessera", "standby"), "the standby answers")

    def _start_cluster(self, name: str, folder: Path, settings: dict[str, str]) -> None:
        settings = settings | {"unix_socket_directories": ""}
        command = [str(programs.find_postgresql() / "postgres"), "-D", str(folder)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        self.parts.start(
            Part(name, command, {"PATH": os.defpath, "LC_ALL": "C"}, folder, self._identity.prefix)
        )

    def _answers(self, database: str, machine: str = "postgresql") -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(
                host=self.parts.address(machine),
                user="tessera",
                dbname=database,
                connect_timeout=2,
            ).close()
            return True
        return False

    def _start_pgbouncer(self) -> None:
        folder = self.folder("pgbouncer")
        settings = self.write_pgbouncer("postgresql")
        identity.give(folder, self._identity.owner)
        command = [str(self.programs.pgbouncer), str(settings)]
        environment = {"PATH": os.defpath, **self.programs.environment()}
        self.parts.start(Part("pgbouncer", command, environment, folder, self._identity.prefix))

    def write_pgbouncer(self, machine: str) -> Path:
        """Have PgBouncer lead to a database server, once it reads its settings."""
        settings = self.folder("pgbouncer") / "pgbouncer.ini"
        host = self.parts.address(machine)
        settings.write_text(PGBOUNCER.format(host=host, port=PGBOUNCER_PORT))
        return settings

    def _start_valkey(self) -> None:
        folder = self.folder("valkey")
        command = [programs.find_valkey(), "--port", str(VALKEY_PORT), "--bind", "0.0.0.0"]
        command += ["--protected-mode", "no", "--dir", str(folder), "--appendonly", "yes"]
        self.parts.start(Part("valkey", command, {"PATH": os.defpath}, folder))

    def _start_s3(self) -> None:
        folder = self.folder("s3")
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        keys = [{"accessKey": KEY, "secretKey": SECRET}]
        identities = [{"name": "tessera", "credentials": keys, "actions": actions}]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))
        where = self.parts.address("s3")
        command = [str(self.programs.weed), "server", "-s3", "-filer", f"-dir={folder}"]
        command += [f"-ip={where}", "-ip.bind=0.0.0.0", f"-s3.port={S3_PORT}"]
        command += [
            f"-s3.config={folder / 's3.json'}",
            "-volume.max=50",
            "-master.volumeSizeLimitMB=256",
        ]
        self.parts.start(Part("s3", command, {"PATH": os.defpath, "HOME": str(folder)}, folder))
        wait_for(self._make_bucket, "the S3 server has a bucket")

    def _make_bucket(self) -> bool:
        code = (
            "import boto3, sys; from botocore.config import Config\n"
            "c = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1',"
            " config=Config(connect_timeout=2, read_timeout=5, retries={'max_attempts': 1}))\n"
            "c.create_bucket(Bucket=sys.argv[2])"
        )
        address = f"http://{self.parts.address('s3')}:{S3_PORT}"
        result = subprocess.run(
            ["ip", "netns", "exec", "desk", sys.executable, "-c", code, address, BUCKET],
            env=self.settings("desk"),
            capture_output=True,
        )
        return result.returncode == 0

    def _start_front(self) -> None:
        folder = self.folder("front")
        upstreams = " ".join(f"{self.parts.address(name)}:{WEB_PORT}" for name in WEB)
        settings = folder / "Caddyfile"
        settings.write_text(CADDY.format(folder=folder, name=NAME, upstreams=upstreams))
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        command = [str(self.programs.caddy), "run", "--adapter", "caddyfile"]
        command += ["--config", str(settings)]
        self.parts.start(Part("front", command, {"PATH": os.defpath, **homes}, folder))
        wait_for(self.authority.exists, "the front has a certificate")

    def _run(self, command: list[str]) -> None:
        result = subprocess.run(
            command, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, capture_output=True, text=True
        )
        if result.returncode:
            raise Failure(f"{' '.join(command)}: {result.stderr.strip()}")

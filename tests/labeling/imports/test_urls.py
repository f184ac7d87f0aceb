"""Lists of addresses: fetched from allowed hosts at public addresses, within bounds, each told."""

import csv
import io
import json
import socket
import threading
from collections import Counter
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow
import pytest
from pyarrow import parquet

from labeling import outbound
from labeling.imports import read_ahead, shares, upload_members, urls
from labeling.models import Image, Import, Project
from labeling.outbound import Allowed, FetchError, Limits
from tests.labeling.imports.sources import captions, refused, take, write
from tests.labeling.imports.uploading import upload
from tests.pictures import png


class Handler(BaseHTTPRequestHandler):
    """Sends pictures by their number, and whatever a hostile server would send."""

    asked: Counter[str] = Counter()
    stop = threading.Event()

    def do_GET(self):
        self.asked[self.path] += 1
        kind, _, rest = self.path.strip("/").partition("/")
        getattr(self, f"send_{kind}", self.send_gone)(rest)

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send_picture(self, rest):
        data = png(int(rest.partition(".")[0]))
        self.answer(200, Content_Length=str(len(data)))
        self.wfile.write(data)

    def send_gone(self, _):
        self.answer(404)

    def send_to(self, rest):
        self.answer(302, Location=rest)

    def send_loop(self, _):
        self.answer(302, Location="/loop")

    def send_short(self, _):
        self.answer(200, Content_Length="1000")
        self.wfile.write(b"x")

    def send_packed(self, _):
        self.answer(200, Content_Encoding="gzip")

    def send_endless(self, _):
        self.answer(200)
        self.pour(bytes(65_536), 0)

    def send_drip(self, _):
        self.answer(200)
        self.pour(b"x", 0.02)

    def send_headers(self, _):
        self.send_response(200)
        self.flush_headers()
        self.pour(b"X", 0.02)

    def pour(self, data, pause):
        try:
            while not self.stop.wait(pause):
                self.wfile.write(data)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Handler.asked.clear()
    Handler.stop.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = False  # all have ended once the server is closed
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        Handler.stop.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture
def local(server, settings, monkeypatch):
    """Let this machine pass for a public one, and allow it."""
    settings.IMPORT_HOSTS = [server]
    public = outbound.is_public
    monkeypatch.setattr(outbound, "is_public", lambda ip: ip == "127.0.0.1" or public(ip))
    return server


def get(url, *hosts, size=100_000, seconds=5.0):
    allowed = [Allowed.of(host) for host in hosts or (url,)]
    return b"".join(outbound.fetch(url, allowed=allowed, limits=Limits(size, seconds)))


def listed(box, *lines):
    write(box, "list.txt", "\n".join(lines))
    return box / "list.txt"


@pytest.mark.django_db
def test_a_list_of_addresses_is_a_source(local, box):
    source = listed(box, "# pictures", f"{local}/picture/1.png", "", f"{local}/picture/2.png?big=1")
    assert "imported 2, already there 0, near-duplicates 0, refused 0." in take(source)
    names = sorted(
        name.partition("-")[0] for name in Image.objects.values_list("source", flat=True)
    )
    assert names == ["1", "2"]
    assert not urls.cache_of(source).exists(), "nothing is kept once it is done"
    assert "already there 2" in take(source)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_what_a_row_says_beside_the_address_is_of_its_picture(kind, local, box):
    rows = [
        {"url": f"{local}/picture/{n}.png", "caption": f"words for number {n}"} for n in range(3)
    ]
    path = box / f"list.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif kind == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        text = io.StringIO()
        table = csv.DictWriter(text, rows[0].keys(), delimiter="," if kind == "csv" else "\t")
        table.writeheader()
        table.writerows(rows)
        path.write_text(text.getvalue())
    assert "imported 3," in take(path)
    assert {(name[0], text) for name, text in captions()} == {
        (str(n), f"words for number {n}") for n in range(3)
    }


@pytest.mark.django_db
def test_each_address_that_fails_is_told_with_its_reason(local, box):
    source = listed(
        box,
        f"{local}/picture/1.png",
        f"{local}/gone",
        f"{local}/short",
        f"{local}/packed",
        f"{local}/loop",
        "https://other.example/1.png",
        "not an address",
        f"{local}/to/http://169.254.169.254/latest/meta-data",
    )
    output = take(source)
    assert "imported 1," in output and "refused 7 files:" in output
    for reason in (
        "cannot be fetched: the server answers 404",
        "cannot be fetched: the connection failed, or broke off",
        "cannot be fetched: its answer is compressed",
        "cannot be fetched: it redirects more than 5 times",
        "https://other.example is not among the hosts that are allowed",
        "http://169.254.169.254 is not among the hosts that are allowed",
        "no address that can be fetched: list.txt, row 7",
    ):
        assert reason in output
    with Import.objects.get().report.open("rt") as file:
        rows = {row["where"]: row["reason"] for row in csv.DictReader(file)}
    assert rows[f"{local}/gone"] == "cannot be fetched: the server answers 404"


@pytest.mark.django_db
def test_nothing_is_fetched_unless_the_owner_allowed_it(server, box):
    message = refused(listed(box, f"{server}/picture/1.png"))
    assert "nothing is fetched unless IMPORT_HOSTS names the hosts" in message
    assert not Handler.asked and not Project.objects.exists()


@pytest.mark.django_db
def test_a_list_that_was_stopped_goes_on_without_fetching_again(local, box, monkeypatch):
    source = listed(box, *(f"{local}/picture/{n}.png" for n in range(12)))
    monkeypatch.setattr(read_ahead, "BATCH", 4)
    monkeypatch.setattr(shares, "RENEW_EVERY", 0.0)

    def stop(done):
        if done == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        meter = "labeling.management.commands.import_images.meter"
        patch.setattr(meter, lambda *_: nullcontext(stop))
        refused(source)
    assert len(Handler.asked) >= 9
    assert "imported 12, already there 0" in take(source)
    assert set(Handler.asked.values()) == {1} and len(Handler.asked) == 12


@pytest.mark.django_db
def test_a_list_is_uploaded_as_well(local, carol):
    project = Project.objects.create(slug="birds", name="Birds")
    text = f"{local}/picture/1.png\n{local}/picture/2.png\n".encode()
    record = upload(project, carol, {"list.txt": text})
    paths = [each.path[:2] for each in upload_members.members(record)()]
    assert paths == ["1-", "2-"]


@pytest.mark.django_db
def test_the_column_of_addresses_can_be_chosen(local, box):
    write(box, "list.csv", f"where,caption\n{local}/picture/1.png,words for one\n")
    assert "nor a list or table of pictures" in refused(box / "list.csv")
    assert "imported 1," in take(box / "list.csv", columns="picture=where")
    ((_, text),) = captions()
    assert text == "words for one"


@pytest.mark.django_db
def test_a_quotation_mark_without_its_other_one_loses_no_address(local, box):
    write(
        box,
        "list.csv",
        f'url;caption\n{local}/picture/1.png;"words for one\n{local}/picture/2.png;words for two\n',
    )
    output = take(box / "list.csv")
    assert "imported 1," in output and "refused 1 file:" in output
    assert "a quotation mark without its other one" in output
    assert [text for _, text in captions()] == ["words for two"]


def test_a_table_of_pictures_is_no_list_of_addresses(box):
    rows = [{"url": "https://a.example/1.png", "image": {"bytes": b"x", "path": None}}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), box / "a.parquet")
    assert not urls.is_list(box / "a.parquet")
    write(box, "words.txt", "a dog in the sun")
    assert not urls.is_list(box / "words.txt")


@pytest.mark.parametrize("path", ["endless", "drip", "headers"])
def test_what_never_ends_is_cut_by_bytes_or_by_time(path, local):
    with pytest.raises(FetchError, match=r"larger than|longer than"):
        get(f"{local}/{path}", local, size=1_000_000, seconds=0.5)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False)),
        *(("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("::1", False)),
        *(("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("::", False)),
        *(("224.0.0.1", False), ("255.255.255.255", False), ("fe80::1", False), ("fd00::1", False)),
        *(("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("2002:7f00:1::", False)),
        *(("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False), ("ff02::1", False)),
        *(("198.18.0.1", False), ("192.0.2.1", False), ("2001:db8::1", False)),
        *(
            ("fec0::1", False),
            ("64:ff9b:1::1", False),
            ("::7f00:1", False),
            ("64:ff9b::808:808", True),
        ),
    ],
)
def test_private_addresses_are_known_in_all_their_forms(address, public):
    assert outbound.is_public(address) is public


def test_this_machine_is_refused_though_its_host_is_allowed(server):
    with pytest.raises(FetchError, match="at a private address"):
        get(f"{server}/picture/1.png", server)
    with pytest.raises(FetchError, match="at a private address"):
        get(server.replace("127.0.0.1", "localhost"), server.replace("127.0.0.1", "localhost"))
    for trick in ("http://0x7f.1", "http://2130706433", "http://127.1"):
        with pytest.raises(FetchError, match=r"private address|no host"):
            get(trick, trick)
    assert not Handler.asked


def test_the_connection_is_made_to_the_address_that_was_checked(local, monkeypatch):
    port = int(local.rpartition(":")[2])
    answers = iter(["127.0.0.1", "10.0.0.1"])  # a name that resolves otherwise the next time

    def resolve(host, *_, **__):
        assert host == "pictures.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (next(answers), port))]

    real = socket.create_connection
    connected = []

    def connect(address, *arguments, **options):
        connected.append(address)
        monkeypatch.undo()
        return real(address, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    data = get(f"http://pictures.example:{port}/picture/1.png", f"http://pictures.example:{port}")
    assert data == png(1) and connected == [("127.0.0.1", port)]


def test_a_redirect_is_checked_as_the_first_address_is(local):
    assert get(f"{local}/to/{local}/picture/3.png", local) == png(3)
    for target in ("http://10.0.0.1/", "file:///etc/passwd", "ftp://a.example/", "//evil.example/"):
        with pytest.raises(FetchError, match=r"not among the hosts|no address"):
            get(f"{local}/to/{target}", local)
    with pytest.raises(FetchError, match="private address"):
        get(f"{local}/to/http://127.0.0.2/", local, "http://127.0.0.2")


@pytest.mark.parametrize(
    "url",
    [
        *("https://user:secret@a.example/", "file:///etc/passwd", "gopher://a.example/"),
        *("https://", "https://a.example:99999/", "https://a.example\\@b.example/", "http://a b/"),
        *("https://a.example/\r\nHost: b.example", "javascript:alert(1)", "https://[::1/"),
        "https://a.example/" + "x" * 5_000,
    ],
)
def test_what_is_no_plain_address_is_refused(url):
    with pytest.raises(FetchError, match="no address"):
        outbound.checked(url, [Allowed.of("*"), Allowed.of("http://*")])


def test_hosts_are_allowed_with_their_scheme_and_port():
    allowed = [*map(Allowed.of, ("images.example", "http://plain.example:8000", "*.shop.example"))]
    for url in (
        "https://images.example/a.png",
        "https://IMAGES.example.:443/",
        "http://plain.example:8000/",
        "https://a.b.shop.example/",
    ):
        outbound.checked(url, allowed)
    for url in (
        "http://images.example/",
        "https://images.example:444/",
        "https://images.example.evil.example/",
        "https://shop.example/",
        "https://evilshop.example/",
    ):
        with pytest.raises(FetchError, match="not among the hosts"):
            outbound.checked(url, allowed)
    for wrong in ("ftp://a.example", "https://a.example/path", ""):
        with pytest.raises(ValueError):
            Allowed.of(wrong)

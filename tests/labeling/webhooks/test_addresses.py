"""Nothing is sent into a private network, whatever a name says when it is asked for."""

import contextlib
import socket
import threading

import pytest

from labeling.webhooks import addresses, posting
from labeling.webhooks.addresses import AddressError

PRIVATE = [
    "127.0.0.1",
    "10.0.0.8",
    "192.168.1.1",
    "172.16.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.8",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::7f00:1",
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "64:ff9b:1::7f00:1",
    "240.0.0.1",
    "::",
    "ff02::1",
]


def resolves_to(monkeypatch, *found: str) -> None:
    def getaddrinfo(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_by_itself_and_behind_a_name(monkeypatch, address):
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressError, match="private network"):
        addresses.check(f"https://{literal}/hook")
    resolves_to(monkeypatch, "93.184.215.14", address)
    with pytest.raises(AddressError, match="private network"):
        addresses.resolve("rebinding.example", 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "example.org",
        "https://",
        "https://user:pw@example.org/",
        "https://example.org/#x",
        "https://example.org:99999/",
        "https://example.org:22/",
        "https://example.org:25/",
        "https://example.org\\@127.0.0.1/",
        "https://[::1",
        "javascript:alert(1)",
        "//x.org/",
        "file:///etc/passwd",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "",
    ],
)
def test_what_is_no_address_to_send_to_is_refused(url):
    with pytest.raises(AddressError):
        addresses.check(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_other_spellings_of_an_address_are_resolved_and_refused(host):
    with pytest.raises(AddressError):
        addresses.resolve(host, 443)


def test_it_connects_to_what_was_checked_whatever_the_name_means_next(monkeypatch):
    resolves_to(monkeypatch, "93.184.215.14")
    connected = []

    def connect(address, timeout):
        connected.append(address)
        raise OSError("refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(posting.PostError):
        posting.post("https://example.org/hook", "{}", {})
    assert connected == [("93.184.215.14", 443)]


def test_a_setting_allows_hosts(settings):
    settings.WEBHOOK_HOSTS = ["127.0.0.1", "Intern.Example"]
    addresses.check("http://127.0.0.1:8000/hook")
    addresses.check("http://intern.example/hook")
    with pytest.raises(AddressError):
        addresses.check("http://127.0.0.2/hook")


def test_a_handshake_that_drips_is_cut_off(settings, monkeypatch):
    """Each byte comes in time, and the whole never does."""
    monkeypatch.setattr(posting, "SECONDS", 0.3)
    settings.WEBHOOK_HOSTS = ["127.0.0.1"]
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KB that begins
                while not ended.wait(0.05):
                    connection.sendall(b"\x02")

        thread = threading.Thread(target=drip)
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(posting.PostError, match="no answer within"):
            posting.post(f"https://127.0.0.1:{port}/hook", "{}", {})
        ended.set()
        thread.join()

"""Pictures that models drew say so in their files, and those who did not write it can read it."""

import io
import json
import sys

import c2pa
import pytest
from PIL import Image
from rdflib import Graph

from labeling import marks
from labeling.decoding import prepare
from labeling.marks import COMPOSITE, SYSTEM, Mark, credentials, hash_of_prompt, xmp
from labeling.marks.credentials import CredentialsError
from tests import certificates
from tests.pictures import decoded, encoded, patchwork

MARK = Mark(
    system=SYSTEM,
    model_sha256="a" * 64,
    snapshot_sha256="b" * 64,
    prompt_sha256=hash_of_prompt("a red apple"),
)
FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def marked(kind: str = "PNG", mark: Mark = MARK) -> bytes:
    return encoded(patchwork(), kind, **marks.saving(kind, mark))


def facts(data: bytes) -> dict[str, str]:
    """Return what a reader of RDF finds in a picture's XMP."""
    packet = decoded(data).info["xmp"].decode()
    rdf = packet[packet.index("<rdf:RDF") : packet.index("</rdf:RDF>") + len("</rdf:RDF>")]
    graph = Graph().parse(data=rdf, format="xml", publicID="urn:picture")
    return {str(name): str(value) for name, value in graph.predicate_objects()}


def statement(value: str, more: str = "") -> bytes:
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:i="{IPTC}"
        xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:t="{xmp.OWN}"><r:RDF>
        <r:Description><i:DigitalSourceType>{value}</i:DigitalSourceType>{more}</r:Description>
        </r:RDF></x:xmpmeta>""".encode()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_mark_is_read_back_from_every_format(kind):
    assert marks.of_bytes(marked(kind)) == MARK
    assert marks.of_bytes(encoded(patchwork(), kind)) is None
    assert marked(kind) == marked(kind)
    assert decoded(marked(kind)).tobytes() == decoded(encoded(patchwork(), kind)).tobytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_reader_of_rdf_finds_what_the_mark_says(kind):
    assert facts(marked(kind)) == {
        f"{IPTC}DigitalSourceType": DRAWN,
        f"{IPTC}AISystemUsed": "Tessera",
        f"{xmp.OWN}ModelSHA256": "a" * 64,
        f"{xmp.OWN}SnapshotSHA256": "b" * 64,
        f"{xmp.OWN}PromptSHA256": hash_of_prompt("a red apple"),
    }
    assert "apple" not in str(marked(kind))


def test_of_an_unknown_origin_it_says_no_more_than_it_knows():
    said = facts(marked(mark=Mark(source_type=COMPOSITE)))
    assert said == {f"{IPTC}DigitalSourceType": DRAWN.replace("trained", "compositeWithTrained")}
    with pytest.raises(ValueError, match="no mark"):
        Mark(model_sha256='"/><evil')


def test_the_mark_of_another_generator_is_understood():
    assert xmp.parse(statement(DRAWN)) == Mark()
    assert xmp.parse(statement(DRAWN.replace("http:", "https:"))) == Mark()
    assert xmp.parse(statement(DRAWN).decode().encode("utf-16")) == Mark()
    own = f"<i:AISystemUsed> {SYSTEM} </i:AISystemUsed><t:ModelSHA256>{'c' * 64}</t:ModelSHA256>"
    assert xmp.parse(statement(DRAWN, own)) == Mark(system=SYSTEM, model_sha256="c" * 64)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff\xfe<",
        b"<a>",
        statement("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"),
        statement("https://example.org/trainedAlgorithmicMedia"),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + statement(DRAWN),
        statement(DRAWN) + b" " * xmp.PACKET_MAX,
    ],
)
def test_what_is_no_mark_is_none(packet):
    assert xmp.parse(packet) is None


def test_nothing_else_of_a_packet_is_taken_over():
    secrets = (
        "<i:AISystemUsed>Somebody's</i:AISystemUsed><i:AIPromptInformation>my secret"
        f"</i:AIPromptInformation><t:ModelSHA256>{'c' * 64}</t:ModelSHA256>"
    )
    assert xmp.parse(statement(DRAWN, secrets)) == Mark()
    sly = f"<i:AISystemUsed>{SYSTEM}</i:AISystemUsed><t:ModelSHA256>my name</t:ModelSHA256>"
    assert xmp.parse(statement(DRAWN, sly)) == Mark(system=SYSTEM)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(96, 64), (700, 600)])
def test_an_import_strips_a_picture_of_all_but_its_mark(kind, size):
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    data = encoded(patchwork(size=size), kind, exif=exif, **marks.saving(kind, MARK))
    stored = prepare(data, bytes_max=10_000_000, pixels_max=4_000_000).data
    assert marks.of_bytes(stored) == MARK
    assert b"SECRET" not in stored
    assert decoded(stored).info.keys().isdisjoint({"exif", "icc_profile"})


def test_what_a_model_drew_is_marked_on_import_although_its_file_is_not():
    data = encoded(patchwork(), "PNG")
    limits = {"bytes_max": 1_000_000, "pixels_max": 1_000_000}
    assert marks.of_bytes(prepare(data, **limits, generated=True).data) == Mark()
    assert marks.of_bytes(prepare(data, **limits).data) is None


# C2PA


@pytest.mark.parametrize(("kind", "suffix"), FORMATS.items())
def test_a_manifest_is_read_back_by_the_reader_of_c2pa(tmp_path, kind, suffix):
    owner = credentials.load(*map(str, certificates.write(tmp_path)))
    signed = owner.sign(marked(kind), MARK, suffix)
    reader = c2pa.Reader(credentials.KINDS[suffix], io.BytesIO(signed))
    manifest = json.loads(reader.json())["manifests"][reader.get_active_manifest()["label"]]
    actions, hashes = manifest["assertions"]
    assert reader.get_validation_state() == "Valid"
    assert manifest["signature_info"]["common_name"] == "Owner"
    assert actions["data"]["actions"] == [{"action": "c2pa.created", "digitalSourceType": DRAWN}]
    assert hashes["data"] == {
        "model_sha256": MARK.model_sha256,
        "snapshot_sha256": MARK.snapshot_sha256,
        "prompt_sha256": MARK.prompt_sha256,
    }
    assert marks.of_bytes(signed) == MARK


def test_a_picture_that_was_changed_after_signing_is_found_out(tmp_path):
    owner = credentials.load(*map(str, certificates.write(tmp_path)))
    signed = bytearray(owner.sign(marked("JPEG"), MARK, ".jpg"))
    signed[-20] ^= 1
    reader = c2pa.Reader("image/jpeg", io.BytesIO(bytes(signed)))
    assert reader.get_validation_state() == "Invalid"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"days": -1}, "expired on"),
        ({"password": b"x"}, "encrypted"),
        ({"other_key": True}, "not that of the first certificate"),
    ],
)
def test_credentials_that_cannot_sign_are_refused(tmp_path, made, message):
    with pytest.raises(CredentialsError, match=message):
        credentials.load(*map(str, certificates.write(tmp_path, **made)))


def test_files_that_are_none_are_refused(tmp_path):
    certificate, key = map(str, certificates.write(tmp_path))
    for pair, message in [
        ((certificate, ""), "Set both"),
        ((certificate, f"{key}s"), "C2PA_KEY names a file that cannot be read: No such file"),
        ((key, key), "C2PA_CERTIFICATE names a file that is no certificate"),
        ((certificate, certificate), "C2PA_KEY names a file that is no private key"),
    ]:
        with pytest.raises(CredentialsError, match=message):
            credentials.load(*pair)
    assert credentials.load("", "") is None


def test_without_the_package_it_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(CredentialsError, match="c2pa-python"):
        credentials.load(*map(str, certificates.write(tmp_path)))

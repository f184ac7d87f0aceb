"""Croissant is read by mlcroissant, record by record. It is slow to import: one test."""

from labeling import exports
from labeling.exports import Options
from tests.labeling.exports.frozen import rows_of, stored_pixels


def test_mlcroissant_iterates_every_record(snapshot, tmp_path):
    import mlcroissant

    out = tmp_path / "out"
    exports.export(folder=snapshot, format="croissant", out=out, options=Options(captions="all"))
    dataset = mlcroissant.Dataset(jsonld=out / "croissant.json")
    assert str(dataset.metadata.conforms_to) in ("CroissantVersion.V_1_1", "1.1") or "1.1" in str(
        dataset.metadata.conforms_to
    )
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    rows = rows_of(snapshot)
    for record in dataset.records("images"):
        row = rows.pop(record["images/file_name"].decode().removesuffix(".png"))
        assert record["images/text"].decode() == row["text"]
        captions = [each.decode() for each in record["images/captions"]]
        assert captions == [each["text"] for each in row["captions"]]
        assert list(record["images/probabilities"]) == [c["probability"] for c in row["concepts"]]
        assert [each.decode() for each in record["images/tags"]] == row["tags"]
        assert [each.decode() for each in record["images/boxes"]] == [
            each["label"] for each in row["boxes"] if each["probability"] >= 0.5
        ]
        assert list(record["images/box_left"]) == [1.0] * len(record["images/boxes"])
        urls = [each.decode() for each in record["images/provenance_url"]]
        assert urls == [each["url"] for each in row["provenance"]]
        assert record["images/image"].convert("RGB").tobytes() == stored_pixels(snapshot, row)
    assert not rows

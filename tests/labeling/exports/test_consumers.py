"""Each format is loaded by its own unmodified reader; counts, texts and pixels are compared."""

import io
import json

import pyarrow.parquet as pq
import pytest

from labeling import exports
from labeling.exports import Options
from tests.labeling.exports.frozen import pixels, rows_of, stored_pixels


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    return datasets


def compare(snapshot, loaded, split: str) -> None:
    """Compare a loaded split with the snapshot, row by row."""
    rows = {stem: row for stem, row in rows_of(snapshot).items() if row["split"] == split}
    expected = {stored_pixels(snapshot, row): row for row in rows.values()}
    assert len(loaded) == len(expected)
    for each in loaded:
        row = expected.pop(each["image"].convert("RGB").tobytes())
        assert each["text"] == row["text"]
        assert each["tags"] == row["tags"]
        assert [c["text"] for c in each["captions"]] == [c["text"] for c in row["captions"]]
        assert {c["name"]: c["probability"] for c in each["concepts"]} == {
            c["name"]: c["probability"] for c in row["concepts"]
        }
        assert each["source"] == row["source"]
        assert objects(each["objects"]) == boxes(row)
    assert not expected


def boxes(row) -> list[tuple]:
    """Return the place, label and probability of the boxes that are probable enough."""
    return [
        ([b["left"], b["top"], b["width"], b["height"]], b["label"], b["probability"])
        for b in row["boxes"]
        if b["probability"] >= 0.5
    ]


def objects(told) -> list[tuple]:
    """Return the same of the column `objects`."""
    return list(zip(told["bbox"], told["category"], told["probability"], strict=True))


@pytest.mark.parametrize("format", ["imagefolder", "parquet"])
def test_datasets_loads_it(snapshot, tmp_path, datasets, format):
    out = tmp_path / "out"
    options = Options(captions="all")
    result = exports.export(folder=snapshot, format=format, out=out, options=options)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert sum(map(len, loaded.values())) == result.counts["pictures"] == 12
    for split in ("train", "test"):
        compare(snapshot, loaded[split], split)


@pytest.mark.parametrize("format", ["imagefolder", "parquet"])
def test_exports_of_two_projects_concatenate(snapshot, tmp_path, datasets, format):
    loaded = []
    for concepts in (("sign",), ("night",)):
        out = tmp_path / concepts[0]
        options = Options(concepts=concepts, captions="none" if loaded else "best")
        exports.export(folder=snapshot, format=format, out=out, options=options)
        cache = str(tmp_path / f"cache-{concepts[0]}")
        loaded.append(datasets.load_dataset(str(out), cache_dir=cache)["train"])
    assert loaded[0].features == loaded[1].features
    both = datasets.concatenate_datasets(loaded)
    assert {c["name"] for row in both for c in row["concepts"]} == {"sign", "night"}


def test_pyarrow_reads_the_parquet(snapshot, tmp_path):
    exports.export(folder=snapshot, format="parquet", out=tmp_path / "out")
    rows = rows_of(snapshot)
    for path in sorted((tmp_path / "out/data").glob("*.parquet")):
        for each in pq.read_table(path).to_pylist():
            row = rows.pop(each["image"]["path"].removesuffix(".webp"))
            assert each["text"] == row["text"]
            assert pixels(each["image"]["bytes"]) == stored_pixels(snapshot, row)
    assert not rows


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it closes none
def test_webdataset_reads_the_shards(snapshot, tmp_path):
    import webdataset

    out = tmp_path / "out"
    exports.export(folder=snapshot, format="webdataset", out=out, options=Options(shard=4))
    rows = rows_of(snapshot)
    shards = sorted(map(str, out.glob("*/*.tar")))
    assert [shard.removeprefix(f"{out}/") for shard in shards] == [
        "test/00000.tar",
        "train/00000.tar",
        "train/00001.tar",
        "train/00002.tar",
    ]
    read = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
    for picture, text, told in read.to_tuple("webp", "txt", "json"):
        row = rows.pop(told["key"])
        assert text == told["text"] == row["text"]
        assert told["tags"] == row["tags"]
        assert objects(told["objects"]) == boxes(row)
        assert picture.tobytes() == stored_pixels(snapshot, row)
    assert not rows


def test_datasets_finds_the_shards_by_their_card(snapshot, tmp_path, datasets):
    out = tmp_path / "out"
    exports.export(folder=snapshot, format="webdataset", out=out, options=Options(shard=4))
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    rows = rows_of(snapshot)
    for split in loaded.values():
        for each in split:
            row, picture = rows.pop(each["__key__"]), each["webp"].convert("RGB").tobytes()
            assert picture == stored_pixels(snapshot, row)
            assert objects(each["json"]["objects"]) == boxes(row)
    assert not rows


def test_the_shards_tables_and_figures_agree_with_them(snapshot, tmp_path):
    out = tmp_path / "out"
    exports.export(folder=snapshot, format="webdataset", out=out, options=Options(shard=4))
    for figures in out.glob("*/*_stats.json"):
        table = pq.read_table(str(figures).replace("_stats.json", ".parquet"))
        assert json.loads(figures.read_text())["count"] == table.num_rows


def test_pycocotools_reads_the_captions(snapshot, tmp_path):
    from pycocotools.coco import COCO

    out = tmp_path / "out"
    exports.export(folder=snapshot, format="coco", out=out, options=Options(captions="all"))
    rows = rows_of(snapshot)
    for split in ("train", "test"):
        coco = COCO(str(out / f"annotations/captions_{split}.json"))
        for image in coco.loadImgs(coco.getImgIds()):
            row = rows.pop(image["file_name"].removesuffix(".webp"))
            captions = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
            assert [c["caption"] for c in captions] == [c["text"] for c in row["captions"]]
            data = (out / split / image["file_name"]).read_bytes()
            assert pixels(data) == stored_pixels(snapshot, row)
            assert (image["width"], image["height"]) == (row["width"], row["height"])
    assert not rows


def test_pycocotools_reads_the_boxes_as_what_they_are(snapshot, tmp_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    out = tmp_path / "out"
    exports.export(folder=snapshot, format="coco", out=out, options=Options(confidence=0.0))
    rows, categories = rows_of(snapshot), []
    for split in ("train", "test"):
        coco = COCO(str(out / f"annotations/instances_{split}.json"))
        categories.append({each["name"]: each["id"] for each in coco.loadCats(coco.getCatIds())})
        for image in coco.loadImgs(coco.getImgIds()):
            row = rows.pop(image["file_name"].removesuffix(".webp"))
            notes = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
            names = [coco.loadCats(each["category_id"])[0]["name"] for each in notes]
            assert names == [each["label"] for each in row["boxes"]]
            assert [each["bbox"] for each in notes] == [
                [each["left"], each["top"], each["width"], each["height"]] for each in row["boxes"]
            ]
            assert [each["area"] for each in notes] == [
                each["width"] * each["height"] for each in row["boxes"]
            ]
            assert image["provenance"][0]["url"] == row["provenance"][0]["url"]
        found = [
            {**{k: each[k] for k in ("image_id", "category_id", "bbox")}, "score": 1.0}
            for each in coco.dataset["annotations"]
        ]
        measured = COCOeval(coco, coco.loadRes(found), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
        assert measured.stats[0] == pytest.approx(1.0), "each box finds itself"
    assert not rows
    assert categories[0] == categories[1] == {"night": 1, "sign": 2, "a wall, red": 3}


def test_pandas_reads_the_boxes(snapshot, tmp_path):
    import pandas

    exports.export(folder=snapshot, format="labels", out=tmp_path / "out")
    table = pandas.read_csv(tmp_path / "out/boxes.csv", keep_default_na=False)
    places = table[["left", "top", "width", "height"]].to_numpy().tolist()
    told = list(
        zip(table["file_name"], zip(places, table["label"], table["probability"]))  # noqa: B905
    )
    rows = rows_of(snapshot).values()
    assert told == [(row["file_name"], box) for row in rows for box in boxes(row)]
    assert set(table["import"]) == {"holiday"}


@pytest.mark.parametrize("format", ["imagefolder", "parquet"])
def test_the_hub_reads_the_card(snapshot, tmp_path, datasets, format):
    from huggingface_hub import DatasetCard

    out = tmp_path / "out"
    exports.export(folder=snapshot, format=format, out=out, options=Options(concepts=("sign",)))
    card = DatasetCard.load(out / "README.md")
    assert card.data.pretty_name == "Signs" and "object-detection" in card.data.task_categories
    assert "concepts = sign" in card.text and "12 pictures" in card.text
    builder = datasets.load_dataset_builder(str(out), cache_dir=str(tmp_path / "cache"))
    assert builder.config.name == "default" and set(builder.config.data_files) == {"train", "test"}
    assert set(builder.info.features["objects"]) >= {"bbox", "category"}


def test_pandas_reads_the_labels(snapshot, tmp_path):
    import pandas

    exports.export(folder=snapshot, format="labels", out=tmp_path / "out")
    labels = pandas.read_csv(tmp_path / "out/labels.csv")
    rows = rows_of(snapshot)
    assert len(labels) == 2 * len(rows)
    for each in labels.to_dict("records"):
        row = rows[each["file_name"].removesuffix(".webp")]
        concept = next(c for c in row["concepts"] if c["name"] == each["concept"])
        assert each["probability"] == concept["probability"]
        assert each["label"] == ("yes" if concept["probability"] >= 0.5 else "no")


def test_no_cell_is_a_formula_to_a_spreadsheet(snapshot, tmp_path):
    from labeling.exports.csv_files import Csv, read

    file = io.BytesIO()
    table = Csv(file, ["text"])
    for text in ("=1+1", "@x", "'quoted", "a,b\nc"):
        table.add({"text": text})
    file.seek(0)
    assert [row["text"] for row in read(file)] == ["'=1+1", "'@x", "''quoted", "a,b\nc"]

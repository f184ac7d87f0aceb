"""Where texts come from, as their sources say it."""

from labeling.imports import provenance, source, source_index
from labeling.imports.entries import Kind
from labeling.imports.metadata import Metadata
from labeling.imports.provenance import Provenance
from tests.labeling.imports.sources import write
from tests.pictures import png


def index(box):
    return source_index.build(source.find(box))


def test_each_row_says_where_its_texts_come_from(box):
    write(box, "0.png", png(0))
    rows = (
        '{"file_name": "0.png", "text": "an owl", "url": "https://a.example/0", "date": 2024}',
        '{"file_name": "0.png", "text": "a bird", "vendor": " Words  Ltd "}',
    )
    write(box, "metadata.jsonl", "\n".join(rows))
    found = index(box).metadata("0.png")
    owl, bird = (found.provenance_of_caption(number) for number in range(2))
    assert (owl.url, owl.date, owl.file) == ("https://a.example/0", "2024", "metadata.jsonl")
    assert (bird.url, bird.vendor, bird.layout) == ("", "Words Ltd", owl.layout)


def test_a_text_beside_its_picture_names_no_file(box):
    for name, data in {"a/0.png": png(0), "a/0.txt": "an owl at night", "1.png": png(1)}.items():
        write(box, name, data)
    found = index(box)
    assert found.metadata("a/0.png").provenance == Provenance(layout="text beside the picture")
    assert found.metadata("1.png").provenance == Provenance()


def test_what_cannot_be_kept_is_told_and_the_text_is_taken(box):
    row = {"url": f"https://a.example/{'x' * 1000}", "license": "by\x07", "date": "2024-05-01"}
    found = Metadata()
    found.add(Kind.CAPTION, "an owl", "row 1", provenance.of_row(row))
    assert found.captions == ["an owl"] and not found.refused
    assert found.provenance == Provenance(date="2024-05-01")
    assert [problem.reason for problem in found.problems] == [
        "its url is longer than 1000 characters",
        "its license holds characters that cannot be shown",
    ]

"""Small exports of the forms that other annotation tools write."""

RECTANGLE = {"x": 10, "y": 8, "width": 30, "height": 20}
_FRAME = {"original_width": 96, "original_height": 64, "image_rotation": 0, "to_name": "image"}


def label_studio():
    """Return a task of Label Studio's JSON export with all kinds of results that are read."""
    region = {"x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0}
    turned = {"x": 100 / 3, "y": 0, "width": 50, "height": 50, "rotation": 90}
    points = [[0, 0], [50, 0], [50, 50]]
    values = [
        ("rectanglelabels", region | {"rectanglelabels": ["owl"]}),
        ("rectanglelabels", turned | {"rectanglelabels": ["owl"]}),
        ("polygonlabels", {"points": points, "polygonlabels": ["bird"]}),
    ]
    results = [
        {"id": "c", "from_name": "light", "to_name": "image", "type": "choices"}
        | {"value": {"choices": ["night"]}},
        *(
            {**_FRAME, "id": kind, "from_name": "box", "type": kind, "value": v}
            for kind, v in values
        ),
        {"id": "t", "from_name": "caption", "to_name": "image", "type": "textarea"}
        | {"value": {"text": ["an owl on a branch"]}},
    ]
    annotation = {"id": 1, "completed_by": 1, "was_cancelled": False, "result": results}
    task = {
        "id": 1,
        "annotations": [annotation],
        "predictions": [],
        "data": {"image": "/data/upload/1/ab12cd34-a.png"},
        "file_upload": "ab12cd34-a.png",
    }
    return [task]


def label_studio_min():
    """Return a row of Label Studio's JSON-MIN export."""
    region = {"x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0}
    size = {"original_width": 96, "original_height": 64}
    row = {
        "image": "/data/upload/1/ab12cd34-a.png",
        "id": 1,
        "box": [region | size | {"rectanglelabels": ["owl"]}],
        "choice": "night",
        "caption": "an owl on a branch",
        "annotator": 1,
        "annotation_id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "lead_time": 4.2,
    }
    return [row]


def argilla(*, flat=False, people=("alice",)):
    """Return a record of Argilla, nested or flattened."""
    answers = {"label": "owl", "caption": "an owl on a branch"}
    image = "https://pictures.example/photos/a.png"
    if flat:
        record = {"id": "1", "status": "completed", "image": image, "label.suggestion": "cat"}
        for question, value in answers.items():
            record[f"{question}.responses"] = [value] * len(people)
            record[f"{question}.responses.users"] = list(people)
            record[f"{question}.responses.status"] = ["submitted"] * len(people)
        return record
    return {
        "id": "1",
        "status": "completed",
        "fields": {"image": image},
        "metadata": {},
        "suggestions": {"label": {"value": "cat", "score": 0.7, "agent": "a model"}},
        "responses": {
            question: [{"value": value, "user_id": who} for who in people]
            for question, value in answers.items()
        },
    }


def cvat():
    """Return CVAT's XML for images 1.1."""
    return """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>1</id><name>owls</name></task></meta>
  <image id="0" name="photos/a.png" width="96" height="64">
    <tag label="night"><attribute name="caption">an owl on a branch</attribute></tag>
    <box label="owl" xtl="10.0" ytl="8.0" xbr="40.0" ybr="28.0" z_order="0">
      <attribute name="colour">grey</attribute>
    </box>
    <polygon label="owl" source="manual" occluded="0" points="1.0,2.0;9.0,2.0;9.0,5.0" z_order="0">
    </polygon>
    <box label="owl" xtl="15.0" ytl="15.0" xbr="35.0" ybr="25.0" rotation="90.0" z_order="0"></box>
  </image>
</annotations>
"""


def voc():
    """Return an annotation of Pascal VOC."""
    return """<annotation>
  <folder>photos</folder><filename>a.png</filename>
  <size><width>96</width><height>64</height><depth>3</depth></size><segmented>0</segmented>
  <object><name>owl</name><difficult>0</difficult>
    <bndbox><xmin>10</xmin><ymin>8</ymin><xmax>40</xmax><ymax>28</ymax></bndbox>
    <part><name>beak</name><bndbox><xmin>12</xmin><ymin>9</ymin><xmax>15</xmax><ymax>12</ymax></bndbox></part>
  </object>
</annotation>
"""

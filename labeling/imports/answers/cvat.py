"""Answers in CVAT's XML for images: tags, and the labels of shapes, by who was assigned."""

import io
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from labeling.imports.answers.columns import WORKERS
from labeling.imports.answers.crowds import Tool
from labeling.imports.answers.entries import AnswersError, Entries, Given, Refused
from labeling.imports.answers.options import Options

SHAPES = {"box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"}
NOBODY = "the file does not say who gave it: name whoever did"


class CvatReader:
    """Reads images with their tags. Raises AnswersError where it holds none."""

    tool = Tool.CVAT

    def __init__(self, data: bytes, options: Options) -> None:
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise AnswersError("its XML declares entities, which CVAT's does not")
        self.data, self.options = data, options
        self.assignees = self._assignees()

    def remark(self) -> str:
        """Say how the file is read."""
        return (
            "Read as CVAT's XML: task = image name; label = tags, and labels of shapes; "
            f"worker = {self.options.worker_name or 'the assignee'}."
        )

    def names(self) -> list[str]:
        """Return nothing: there is no choice."""
        return []

    def entries(self) -> Entries:
        """Yield an entry for each tag and each shape."""
        try:
            yield from self._entries()
        except AnswersError as error:
            yield Refused("what follows", "", str(error))

    def _entries(self) -> Entries:
        for number, image in enumerate(self._elements("image"), 1):
            where = f"image {image.get('id', number)}"
            name = image.get("name", "").strip()
            for element in image:
                if element.tag != "tag" and element.tag not in SHAPES:
                    continue
                label, worker = element.get("label", "").strip(), self._worker(image, element)
                if not name or not label:
                    yield Refused(where, element.tag, "it lacks a name or a label")
                elif not worker:
                    yield Refused(where, element.tag, NOBODY)
                else:
                    concept, alone = self.options.concept_name, element.tag == "tag"
                    group = f"{where} {worker}"
                    yield Given(where, name, worker, label, concept, group, alone, element.tag)

    def _elements(self, wanted: str, *, stop: bool = False) -> Iterator[Element]:
        """Yield the elements of a name, one at a time; stop: only up to the first image.

        Raises AnswersError where it is no XML of CVAT.
        """
        # The encoding that a file declares could hide a declaration of entities.
        parser = ElementTree.XMLParser(encoding="utf-8")
        root: Element | None = None
        try:
            events = ElementTree.iterparse(io.BytesIO(self.data), ("start", "end"), parser)
            for event, element in events:
                if root is None and element.tag != "annotations":
                    raise AnswersError("it is no XML of CVAT for images (<annotations>)")
                root = element if root is None else root
                if stop and element.tag == "image":
                    return
                if event == "end" and element.tag == wanted:
                    yield element
                    root.clear() if wanted == "image" else None
        except ElementTree.ParseError as error:
            raise AnswersError(f"it is no XML ({error})") from None

    def _assignees(self) -> dict[tuple[str, str], str]:
        """Return who was assigned to each job and task, by ("job", its id)."""
        assignees: dict[tuple[str, str], str] = {}
        for meta in self._elements("meta", stop=True):
            for kind in ("task", "job"):
                for element in meta.iter(kind):
                    assignee = element.find("assignee")
                    if assignee is None:
                        continue
                    text = assignee.findtext("username") or assignee.text or ""
                    if text.strip():
                        assignees[kind, element.findtext("id", "").strip()] = text.strip()
        return assignees

    def _worker(self, image: Element, element: Element) -> str:
        """Return who gave a tag: by its attribute, by its image's job or task, or the only one."""
        for attribute in element.findall("attribute"):
            if attribute.get("name", "").casefold() in WORKERS and (attribute.text or "").strip():
                return (attribute.text or "").strip()
        for kind in ("job", "task"):
            if assignee := self.assignees.get((kind, image.get(f"{kind}_id", ""))):
                return assignee
        if self.options.worker_name:
            return self.options.worker_name
        everybody = set(self.assignees.values())
        return everybody.pop() if len(everybody) == 1 else ""

"""A mark as an XMP packet (ISO 16684-1), with IPTC's properties and some of our own, and back."""

from contextlib import suppress
from dataclasses import replace
from xml.parsers import expat

from labeling.marks.mark import SOURCE_TYPES, SYSTEM, VOCABULARY, Mark, is_hash

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OWN = "urn:tessera:generated:1.0/"
SOURCE_TYPE = f"{IPTC}DigitalSourceType"
AI_SYSTEM = f"{IPTC}AISystemUsed"
HASHES = {  # field of a mark: property
    "model_sha256": f"{OWN}ModelSHA256",
    "snapshot_sha256": f"{OWN}SnapshotSHA256",
    "prompt_sha256": f"{OWN}PromptSHA256",
}
PACKET_MAX = 256 * 1024  # bytes; what is longer is not read


def packet(mark: Mark) -> bytes:
    """Return the packet of a mark; the same mark gives the same bytes."""
    lines = [f'    Iptc4xmpExt:DigitalSourceType="{mark.source_address}"']
    if mark.system:
        lines.append(f'    Iptc4xmpExt:AISystemUsed="{mark.system}"')
    for field, name in HASHES.items():
        if value := getattr(mark, field):
            lines.append(f'    tessera:{name.removeprefix(OWN)}="{value}"')
    properties = "\n".join(lines)
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="{IPTC}"
    xmlns:tessera="{OWN}"
{properties}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


def parse(data: bytes) -> Mark | None:
    """Return the mark in a packet of anybody's; None where it says nothing of a model.

    Nothing else is taken over from it: only the source types of what models drew, our own name
    and hashes.
    """
    values = _properties(data)
    vocabulary, _, source_type = values.get(SOURCE_TYPE, "").rpartition("/")
    known = vocabulary.replace("https://", "http://") + "/" == VOCABULARY
    if not known or source_type not in SOURCE_TYPES:
        return None
    mark = Mark(source_type=source_type)
    if values.get(AI_SYSTEM) != SYSTEM:
        return mark
    hashes = {field: values.get(name, "") for field, name in HASHES.items()}
    return replace(mark, system=SYSTEM, **{k: v for k, v in hashes.items() if is_hash(v)})


def _properties(data: bytes) -> dict[str, str]:
    """Return the properties that a mark has, by name, whether attributes or elements."""
    if len(data) > PACKET_MAX:
        return {}
    reader = _Reader()
    with suppress(expat.ExpatError, _RefusedError, ValueError):
        reader.parser.Parse(data.strip(b"\0 \r\n\t"), True)
    return reader.values


class _RefusedError(Exception):
    """The packet has a document type, as no packet has: its entities may grow without end."""


class _Reader:
    """Collect properties while expat goes over a packet."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._open = ""  # the property whose text is read
        self.parser = expat.ParserCreate(namespace_separator="")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        named = {key: value for key, value in attributes.items() if key in _NAMES}
        if name in _NAMES:
            self._open, named[name] = name, attributes.get(f"{RDF}resource", "")
        self.values |= {key: value.strip() for key, value in named.items()}

    def _end(self, name: str) -> None:
        if name == self._open:
            self.values[name], self._open = self.values[name].strip(), ""

    def _text(self, text: str) -> None:
        if self._open:
            self.values[self._open] += text

    def _refuse(self, *declared: object) -> None:
        self.values.clear()
        raise _RefusedError


_NAMES = {SOURCE_TYPE, AI_SYSTEM, *HASHES.values()}

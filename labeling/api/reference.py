"""The OpenAPI document as a page to read."""

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from drf_spectacular.generators import SchemaGenerator

from labeling.api.errors import codes

_VERSION = re.compile(r"^/api/v1/")
_OF_PROJECTS = {"archive", "leave", "outlook", "preview", "publish", "reopen", "unpublish"}
_CODE = re.compile("`([^`]+)`")
Node = dict[str, Any]


class Field(NamedTuple):
    """A parameter, or a field of a body."""

    name: str
    kind: str
    required: bool
    text: str


class Answer(NamedTuple):
    """What an operation may answer."""

    status: str
    text: str
    fields: list[Field]


class Operation(NamedTuple):
    """A method of an address."""

    id: str
    method: str
    path: str
    title: str
    text: str
    scope: str
    parameters: list[Field]
    body: list[Field]
    answers: list[Answer]
    errors: list[str]


class Group(NamedTuple):
    """The operations below one address."""

    name: str
    operations: list[Operation]


def page(request: HttpRequest) -> HttpResponse:
    """Show every operation of the API: what it takes, what it answers, which scope it needs."""
    context = {"groups": _groups(), "codes": codes()}
    return render(request, "api_reference.html", context)


@functools.cache
def _groups() -> list[Group]:
    """Return the operations by the first word of their addresses; the document is made once."""
    with translation.override("en"):
        document: Node = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        if not _VERSION.match(path):
            continue
        name = _group(path)
        operations = [_operation(document, method, path, node) for method, node in methods.items()]
        groups.setdefault(name, []).extend(operations)
    return [Group(name, operations) for name, operations in sorted(groups.items())]


def _group(path: str) -> str:
    """Return what an address is about: the noun after a project, else the first one."""
    words = [word for word in _VERSION.sub("", path).split("/") if word and "{" not in word]
    noun = words[1] if words[0] == "projects" and len(words) > 1 else words[0]
    return "projects" if noun in _OF_PROJECTS else noun


def _operation(document: Node, method: str, path: str, node: Node) -> Operation:
    content = node.get("requestBody", {}).get("content", {})
    schema = _first(content)
    responses = node["responses"]
    return Operation(
        id=node["operationId"],
        method=method.upper(),
        path=path,
        title=node.get("summary", ""),
        text=_text(node),
        scope=_scope(node),
        parameters=[_parameter(document, each) for each in node.get("parameters", [])],
        body=list(_fields(document, schema, is_body=True)),
        answers=[_answer(document, s, r) for s, r in responses.items() if s < "300"],
        errors=[status for status in responses if status >= "300"],
    )


def _first(content: Node) -> Node:
    """Return the schema of the first media type, empty where there is none."""
    schemas: list[Node] = [node.get("schema", {}) for node in content.values()]
    return schemas[0] if schemas else {}


def _scope(node: Node) -> str:
    return next((s["token"][0] for s in node.get("security", []) if s.get("token")), "")


def _parameter(document: Node, node: Node) -> Field:
    kind = f"{_kind(document, node['schema'])} ({node['in']})"
    return Field(node["name"], kind, node.get("required", False), _text(node))


def _answer(document: Node, status: str, node: Node) -> Answer:
    schema = _first(node.get("content", {}))
    text = node.get("description", "") or _kind(document, schema)
    return Answer(status, text, list(_fields(document, schema)))


def _fields(document: Node, schema: Node, *, is_body: bool = False) -> Iterator[Field]:
    """Yield the fields of a body, or of the rows of a list."""
    schema = _resolved(document, schema)
    if "results" in schema.get("properties", {}):
        schema = schema["properties"]["results"]
    if schema.get("type") == "array":
        schema = _resolved(document, schema["items"])
    required = schema.get("required", ())
    for name, node in schema.get("properties", {}).items():
        kind = _kind(document, node)
        yield Field(name, kind, is_body and name in required, _text(node))


def _text(node: Node) -> SafeString:
    """Return the description of something, with what is code in it marked as such."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(node.get("description", ""))))


def _kind(document: Node, schema: Node) -> str:
    """Return the type of a value in a few words."""
    parts = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
    if parts:
        return " or ".join(filter(None, (_kind(document, part) for part in parts)))
    schema = _resolved(document, schema)
    if "enum" in schema:
        return " | ".join(
            "null" if value is None else str(value) or "“”" for value in schema["enum"]
        )
    kind = schema.get("type", "")
    kinds = kind if isinstance(kind, list) else [kind]
    words = [
        f"list of {_kind(document, schema.get('items', {}))}" if each == "array" else each
        for each in kinds
    ]
    return " or ".join(word for word in words if word)


def _resolved(document: Node, schema: Node) -> Node:
    if reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        found: Node = document["components"]["schemas"][name]
        return found
    return schema

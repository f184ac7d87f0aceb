"""Write a Python client from the OpenAPI document: a method an operation, a TypedDict a schema."""

import json
import keyword
import re
from typing import Any

HEAD = '''"""Made from the OpenAPI document."""

import json
from typing import Any, Literal, NotRequired, TypedDict
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen


class Problem(Exception):
    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body["detail"])
        self.code, self.status = body["code"], body["status"]


'''
CLIENT = """class Client:
    def __init__(self, server: str, token: str) -> None:
        self._server, self._token = server, token

    def _call(self, method: str, path: str, query: dict[str, Any], body: Any) -> Any:
        query = {name: value for name, value in query.items() if value is not None}
        address = f"{self._server}{path}?{urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            with urlopen(Request(address, data, headers, method=method)) as response:
                content = response.read()
        except HTTPError as error:
            raise Problem(json.loads(error.read())) from None
        return json.loads(content) if content else None
"""
WORDS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def make(document: dict[str, Any]) -> str:
    """Return the client's source."""
    schemas = document["components"]["schemas"]
    parts = [_schema(name, node) for name, node in schemas.items() if name != "Problem"]
    methods = [
        _method(method, path, node)
        for path, nodes in document["paths"].items()
        if path.startswith("/api/v1/")
        for method, node in nodes.items()
        if _media_type(node.get("requestBody", {})) in ("", "application/json")
    ]
    return HEAD + "\n".join(parts) + "\n\n" + CLIENT + "\n".join(methods)


def _schema(name: str, node: dict[str, Any]) -> str:
    if "properties" not in node:
        return f"{name} = {_type(node, quoted=True)}\n"
    required = node.get("required", ())
    fields = {
        field: _type(each) if field in required else f"NotRequired[{_type(each)}]"
        for field, each in node["properties"].items()
    }
    listed = ", ".join(f"{field!r}: {kind!r}" for field, kind in fields.items())
    return f"{name} = TypedDict({name!r}, {{{listed}}})\n"


def _method(method: str, path: str, node: dict[str, Any]) -> str:
    places = {each["name"]: each for each in node.get("parameters", []) if each["in"] == "path"}
    queries = [each for each in node.get("parameters", []) if each["in"] == "query"]
    body = _first(node.get("requestBody", {}))
    arguments = [f"{name}: {_type(each['schema'])!r}" for name, each in places.items()]
    arguments += [f"body: {_type(body)!r}"] if body else []
    arguments += ["*"] if queries else []
    arguments += [f"{_name(e['name'])}: {_type(e['schema'])!r} = None" for e in queries]
    success = next((r for s, r in node["responses"].items() if s < "300"), {})
    answer = _type(_first(success)) if _first(success) else "None"
    target = re.sub(r"\{(\w+)\}", r"{quote(str(\1), safe='')}", path)
    query = ", ".join(f"{each['name']!r}: {_name(each['name'])}" for each in queries)
    return f"""
    def {_name(node["operationId"])}(self, {", ".join(arguments)}) -> {answer!r}:
        {json.dumps(node.get("description", ""))}
        return self._call({method.upper()!r}, f"{target}", {{{query}}}, {"body" if body else None})
"""


def _type(node: dict[str, Any], *, quoted: bool = False) -> str:
    """Return the annotation of a value."""
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        return repr(name) if quoted else name
    if "enum" in node:
        return f"Literal[{', '.join(map(repr, node['enum']))}]"
    for word in ("anyOf", "oneOf"):
        if any("required" not in each or "type" in each for each in node.get(word, [])):
            kinds = [_type(each, quoted=quoted) for each in node[word]]
            return kinds[0] if quoted else " | ".join(kinds)
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type", "")]
    words = [
        f"list[{_type(node.get('items', {}))}]" if kind == "array" else WORDS.get(kind, "Any")
        for kind in kinds
    ]
    return " | ".join(words)


def _first(node: dict[str, Any]) -> dict[str, Any]:
    return next((each.get("schema", {}) for each in node.get("content", {}).values()), {})


def _media_type(node: dict[str, Any]) -> str:
    return next(iter(node.get("content", {})), "")


def _name(name: str) -> str:
    word = re.sub(r"\W", "_", name)
    return f"{word}_" if keyword.iskeyword(word) else word

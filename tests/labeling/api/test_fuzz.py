"""Whatever is sent, by whomever: no failure, and nothing that the OpenAPI document does not say.

`make fuzz` sends a hundred examples an operation and role, in place of a few.
"""

import itertools
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks

from labeling import tokens
from labeling.models import Role, Scope

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
RARELY = {"tokens": "access", "deliveries": "delivery"}  # nouns of addresses, as `ids` names them
CHOSEN = re.compile(os.environ.get("FUZZ_OPERATIONS", ""))
HOW: dict[str, Any] = {
    "max_examples": EXAMPLES,
    "phases": [Phase.generate],
    "derandomize": EXAMPLES < 10,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}
# Right by the schema, and yet refused: by rows, or by rules that no schema says.
REFUSED = {
    "answers_import": "crowds have names of their own",
    "concepts_change": "names hold no control characters",
    "concepts_create": "names hold no control characters",
    "gold_import": "crowds have names of their own",
    "images_remove_many": "pictures are there",
    "imports_choose": "names hold no control characters",
    "imports_columns": "encodings have names",
    "imports_options": "encodings have names",
    "comparison_draw": "prompts are few at once",
    "answers_list": "concepts have names",
    "images_list": "concepts have names",
    "questions_list": "concepts have names",
    "comments_create": "a remark needs a text, a flag none",
    "concepts_merge": "a concept is not merged into itself",
    "exports_begin": "the options are those of the format, and the snapshot is ready",
    "generations_create": "there is a model that draws",
    "gold_unmark": "either a tile or an image is named, which no query's schema says",
    "imports_bucket": "the server has the package for buckets, and its owner allows the bucket",
    "imports_parts": "its fields are named by a pattern, and schemathesis sends them as texts",
    "imports_complete": "what came can be imported",
    "lineage": "one thing at a time is traced",
    "projects_change": "languages and thresholds have rules of their own",
    "projects_create": "languages have names",
    "runs_outlook": "recipes and presets have names",
    "runs_start": "the options are those of the recipe",
    "sites_change": "host names have rules of their own",
    "sites_create": "host names have rules of their own",
    "webhooks_change": "addresses are public",
    "webhooks_create": "addresses are public",
}
# Wrong by the schema, and yet taken.
ACCEPTED: dict[str, str] = {}
ROLES = ("anonymous", Role.ANNOTATOR, Role.REVIEWER, Role.OWNER)


@pytest.fixture
def callers(shapes) -> dict[str, Client]:
    """A client of each role; all but the anonymous one send a token for everything."""
    from django.contrib.auth.models import User

    callers = {"anonymous": Client(raise_request_exception=False)}
    for role in ROLES[1:]:
        user = User.objects.create_user(f"fuzzing {role}")
        shapes.memberships.create(user=user, role=role)
        _token, secret = tokens.make(user=user, name="fuzz", scopes=Scope.values)
        headers = {"Authorization": f"Bearer {secret}"}
        callers[role] = Client(raise_request_exception=False, headers=headers)
    return callers


def real(path: str, ids: dict[str, Any]) -> dict[str, Any]:
    """What stands in the braces of an address, as rows that there are."""
    return {
        name: str(ids.get(name) or ids.get(RARELY.get(word, word.removesuffix("s")), 1))
        for word, name in re.findall(r"([^/]+)/\{(\w+)\}", path)
    }


def send(client: Client, case: schemathesis.Case) -> Response:
    """Send a case in process, and return the answer as from a server; then undo what it did."""
    request = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    headers = {
        name: str(value) for name, value in request.headers.items() if name != "Content-Length"
    }
    with transaction.atomic():
        answer = client.generic(
            request.method,
            request.path_url,
            request.body or b"",
            content_type=headers.pop("Content-Type", ""),
            headers=headers,
        )
        content = b"".join(answer)
        transaction.set_rollback(True)
    return Response(
        status_code=answer.status_code,
        headers={name: [value] for name, value in answer.headers.items()},
        content=content,
        request=request,
        elapsed=0.0,
        verify=True,
    )


def attack(
    operation: schemathesis.APIOperation, callers: dict[str, Client], ids: dict[str, Any]
) -> Callable[[], None]:
    """A function that sends right examples of an operation as each role.

    Where they are few, the owner sends each, and every other role one of two in turn.
    """
    turns = itertools.count()

    @settings(**HOW)
    @given(case=operation.as_strategy(), is_real=st.integers(0, 9).map(lambda n: n < 8))
    def run(case: schemathesis.Case, is_real: bool) -> None:
        if is_real or EXAMPLES < 10:
            case.path_parameters = real(case.path, ids)
        turn = next(turns)
        for number, (role, client) in enumerate(callers.items()):
            if EXAMPLES < 10 and role != Role.OWNER and (turn + number) % 2:
                continue
            accepts = role == Role.OWNER and name_of(operation) not in REFUSED
            check(case, send(client, case), [*CHECKS, *([accepted] if accepts else [])], role)

    return run


def attack_wrongly(
    operation: schemathesis.APIOperation, callers: dict[str, Client], ids: dict[str, Any]
) -> Callable[[], None]:
    """A function that sends examples of an operation that its schema forbids, as the owner."""
    path_parameters = real(operation.path, ids)

    @settings(**HOW)
    @given(case=operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=path_parameters))
    def run(case: schemathesis.Case) -> None:
        rejects = [] if name_of(operation) in ACCEPTED else [checks.negative_data_rejection]
        check(case, send(callers[Role.OWNER], case), [*CHECKS, *rejects], "owner, wrongly")

    return run


def accepted(ctx: Any, response: Response, case: schemathesis.Case) -> None:
    """Fail where right data is refused as not valid."""
    is_page = b'"detail":"cursor: ' in response.content  # made up, where only `next` knows one
    assert response.status_code != 400 or is_page, f"right data was refused: {response.content!r}"


def check(case: schemathesis.Case, response: Response, checks: list[Any], role: str) -> None:
    try:
        case.validate_response(response, checks=checks)
    except BaseExceptionGroup as failures:
        failures.add_note(f"as {role}")
        raise


def name_of(operation: schemathesis.APIOperation) -> str:
    return str(operation.definition.raw["operationId"])


@pytest.mark.parametrize("way", [attack, attack_wrongly])
def test_nothing_fails_and_nothing_is_answered_that_is_not_documented(
    ids, callers, document, settings, way
):
    settings.API_RATE = settings.CHALLENGE_RATE = 1_000_000
    problems, operations = [], 0
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if not CHOSEN.search(name_of(operation)) or (
            way is attack_wrongly and takes_nothing(operation)
        ):
            continue
        operations += 1
        try:
            way(operation, callers, ids)()
        except (AssertionError, BaseExceptionGroup) as failure:
            parts = getattr(failure, "exceptions", [failure])
            notes = ", ".join(getattr(failure, "__notes__", []))
            problems += [f"{operation.label} {notes}: {part}"[:700] for part in parts]
    assert operations
    assert not problems, "\n\n".join(problems)


def takes_nothing(operation: schemathesis.APIOperation) -> bool:
    """Whether there is nothing to get wrong but the address."""
    return not operation.body and not operation.query

"""Whatever is sent, by whomever: no failure, and nothing that the OpenAPI document does not say.

`make fuzz` sends a hundred examples an operation and role, in place of a few.
"""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
import schemathesis
from django.db import transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
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
    """A function that sends examples of an operation as each role."""

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=EXAMPLES < 10,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_real=st.integers(0, 9).map(lambda n: n < 8))
    def run(case: schemathesis.Case, is_real: bool) -> None:
        if is_real or EXAMPLES < 10:
            case.path_parameters = real(case.path, ids)
        for role, client in callers.items():
            response = send(client, case)
            try:
                case.validate_response(response, checks=CHECKS)
            except BaseExceptionGroup as failures:
                failures.add_note(f"as {role}")
                raise

    return run


def test_nothing_fails_and_nothing_is_answered_that_is_not_documented(ids, callers, settings):
    settings.API_RATE = settings.CHALLENGE_RATE = 1_000_000
    document = SchemaGenerator().get_schema(request=None, public=True)
    problems, operations = [], 0
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        operations += 1
        try:
            attack(operation, callers, ids)()
        except (AssertionError, BaseExceptionGroup) as failure:
            parts = getattr(failure, "exceptions", [failure])
            notes = ", ".join(getattr(failure, "__notes__", []))
            problems += [f"{operation.label} {notes}: {part}"[:700] for part in parts]
    assert operations > 100
    assert not problems, "\n\n".join(problems)

"""The OpenAPI 3.1 description of the endpoints that stand, made from the same tables that serve them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from chappe import __version__
from chappe.partner import catalogue
from chappe.partner.endpoint import Endpoint, Field
from chappe.partner.idempotency import KEY_CHARS_MAX
from chappe.partner.page import Page

_TITLES = {"sms": "SMS Partner", "voice": "Voice Partner", "mail": "Mail Partner"}
_WITHOUT_BODY = ("GET", "DELETE")
"""Bodies are read with these too, but tools rarely send one: their parameters are described in the query."""
# What every endpoint may answer, whatever its own table says.
_STATUSES = {
    400: "A parameter is missing, malformed or refused by a rule",
    401: "The API key is wrong",
    403: "The account, or the address the request comes from, may not do this",
    408: "The body did not arrive within 15 seconds",
    413: "The body is too large",
    415: "The body is compressed",
    429: "Too many requests",
    500: "A fault of the server",
    503: "The server cannot take work now; see Retry-After",
}
_ERROR = {
    "type": "object",
    "required": ["success", "code", "message"],
    "properties": {
        "success": {"const": False},
        "code": {"type": ["integer", "string"]},
        "message": {"type": "string"},
    },
}
_CONSTRAINTS = {
    "type": "object",
    "required": ["success", "code", "errors"],
    "properties": {
        "success": {"const": False},
        "code": {"type": ["integer", "string"]},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def description(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document, ready for JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        for path in endpoint.page.paths:
            entry = paths.setdefault(f"/{endpoint.page.product}/v1{path}", {})
            for method in endpoint.page.methods:
                entry[method.lower()] = _operation(endpoint, method, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chappe",
            "version": __version__,
            "description": "The HTTP APIs of SMS Partner, Voice Partner and Mail Partner, served by Chappe."
            " Parameters may stand in the path, the query or the body (JSON, XML or a form), whatever the Content-Type.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": title} for title in _TITLES.values()],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "ErrorList": _CONSTRAINTS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "query": {"type": "apiKey", "in": "query", "name": "apiKey"},
            },
        },
    }


def _operation(endpoint: Endpoint, method: str, path: str) -> dict[str, Any]:
    page = endpoint.page
    operation: dict[str, Any] = {
        "operationId": "_".join((page.product, method.lower(), *_words(path))),
        "tags": [_TITLES[page.product]],
        "summary": endpoint.title,
        "description": _codes(page),
        "parameters": _parameters(endpoint, method, path),
        "responses": _responses(endpoint, method),
    }
    if "{apiKey}" not in path:
        operation["security"] = [{"bearer": []}, {"header": []}, {"query": []}]
    if method not in _WITHOUT_BODY and endpoint.fields:
        schema = {
            "type": "object",
            "properties": {f.name: _schema_of(f) for f in (*_KEY_AND_FORMAT, *endpoint.fields)},
            "required": [f.name for f in endpoint.fields if f.required],
        }
        media = "multipart/form-data" if page.accepts_multipart else "application/json"
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    return operation


_KEY_AND_FORMAT = (Field("apiKey", "The API key"), Field("_format", "json or xml"))


def _parameters(endpoint: Endpoint, method: str, path: str) -> list[dict[str, Any]]:
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    texts = {field.name: field.text for field in (*_KEY_AND_FORMAT, *endpoint.fields)}
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": texts.get(name, name),
            "schema": {"type": "string"},
        }
        for name in in_path
    ]
    if method in _WITHOUT_BODY:
        parameters += [
            {
                "name": field.name,
                "in": "query",
                "required": field.required,
                "description": field.text,
                "schema": {"type": "string"},
            }
            for field in endpoint.fields
            if field.name not in in_path
        ]
    if method == "POST":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Repeated with the same request within 24 hours: the same answer, and nothing is done again",
                "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX},
            }
        )
    formats = ["json", "xml"]
    parameters.append(
        {
            "name": "_format",
            "in": "query",
            "description": "The form of the answer; json by default",
            "schema": {"type": "string", "enum": formats},
        }
    )
    return parameters


def _responses(endpoint: Endpoint, method: str) -> dict[str, Any]:
    xml = {"application/xml": {"schema": {"type": "string"}}}
    content: dict[str, Any]
    if endpoint.example is None:
        content = {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}
    else:
        content = {
            "application/json": {"schema": schema_of(endpoint.example), "example": endpoint.example},
            **xml,
        }
    good = {"description": "Done", "content": content}
    if endpoint.page.limit is not None:
        good["headers"] = {
            f"X-RateLimit-{name}": {"schema": {"type": "integer"}} for name in ("Limit", "Remaining", "Reset")
        }
    statuses = dict(_STATUSES)
    if method == "POST":
        statuses[409] = "The Idempotency-Key was used for another request, or that one is still in progress"
    for message in catalogue.table(endpoint.page).values():
        statuses.setdefault(message.http_status, message.en)
    either = {"anyOf": [{"$ref": "#/components/schemas/Error"}, {"$ref": "#/components/schemas/ErrorList"}]}
    bad = {
        str(status): {"description": text, "content": {"application/json": {"schema": either}, **xml}}
        for status, text in sorted(statuses.items())
    }
    return {"200": good, **bad}


def _codes(page: Page) -> str:
    limit = f"{page.limit.requests} requests in {page.limit.seconds} s. " if page.limit else ""
    own = ", ".join(
        f"{code} {message.en}" for code, message in sorted(page.errors.items(), key=lambda i: str(i[0]))
    )
    missing = (
        f"{page.missing_key_code} {(page.missing_key or catalogue.resolve(page, page.missing_key_code)).en}"
    )
    return f"{limit}Codes: {missing}{', ' if own else ''}{own}"


def _schema_of(field: Field) -> dict[str, Any]:
    if field.kind == "file":
        return {"type": "string", "contentMediaType": "application/octet-stream", "description": field.text}
    kinds = [field.kind] if field.kind in ("string", "array", "object") else [field.kind, "string"]
    if field.kind == "array":
        kinds = ["array", "string"]
    return {"type": kinds if len(kinds) > 1 else kinds[0], "description": field.text}


def schema_of(example: object) -> dict[str, Any]:
    """The JSON Schema of which `example` is one: every key required, types as they stand."""
    match example:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case None:
            return {"type": "null"}
        case Mapping():
            items = cast("Mapping[str, object]", example)
            return {
                "type": "object",
                "required": list(items),
                "properties": {name: schema_of(value) for name, value in items.items()},
            }
        case Sequence():
            values = cast("Sequence[object]", example)
            return {"type": "array", "items": schema_of(values[0]) if values else {}}
        case _:
            raise TypeError(type(example))


def _words(path: str) -> list[str]:
    return [part.strip("{}").replace("-", "_") for part in path.split("/") if part]

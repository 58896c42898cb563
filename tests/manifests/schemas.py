"""Kubernetes' and its operators' schemas, closed: a field that they do not know is an error.

The API server prunes or refuses those; a schema as published lets them pass. What the API server
checks beyond a schema (rules in CEL, names that must be unique) `make test-kubernetes` sees.
"""

import functools
import json
from typing import Any, Final

import jsonschema_rs
import yaml

from cluster.setup.paths import KUBERNETES, ROOT
from tests.manifests.rendering import Object

_OURS: Final = ROOT / "cluster" / "kubernetes" / "schemas"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_QUANTITY_PATTERN: Final = r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$"


def errors(one: Object) -> list[str]:
    """Return what is wrong with an object, each with where."""
    validator = _validator(one["apiVersion"], one["kind"])
    return [
        f"{_path(error.instance_path)}: {error.message}" for error in validator.iter_errors(one)
    ]


def _path(parts: list[str | int]) -> str:
    return ".".join(str(part) for part in parts) or "the object"


@functools.cache
def _validator(api_version: str, kind: str) -> jsonschema_rs.Validator:
    group, _, version = api_version.rpartition("/")
    schema = _published(group, version, kind) or _defined(group, version, kind)
    assert schema is not None, f"no schema is known of {kind} in {api_version}"
    return jsonschema_rs.Draft202012Validator(schema)


def _published(group: str, version: str, kind: str) -> dict[str, Any] | None:
    """Return the schema of a kind of Kubernetes' own."""
    schemas = _openapi(f"apis__{group}__{version}" if group else f"api__{version}")
    for name, schema in schemas.items():
        kinds = schema.get("x-kubernetes-group-version-kind", ())
        if {"group": group, "version": version, "kind": kind} in kinds:
            return {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    return None


@functools.cache
def _openapi(name: str) -> dict[str, Any]:
    file = KUBERNETES / "openapi" / f"{name}.json"
    if not file.is_file():
        return {}
    schemas: dict[str, Any] = json.loads(file.read_text())["components"]["schemas"]
    for schema in schemas.values():
        _close(schema)
    if _QUANTITY in schemas:
        text = {"type": "string", "pattern": _QUANTITY_PATTERN}
        schemas[_QUANTITY] = {"oneOf": [text, {"type": "number"}]}
    return schemas


def _defined(group: str, version: str, kind: str) -> dict[str, Any] | None:
    """Return the schema of a kind that a CustomResourceDefinition adds."""
    for file in (*(KUBERNETES / "crds" / group).glob("*.yaml"), *_OURS.glob("*.yaml")):
        definition = yaml.load(file.read_text(), yaml.CSafeLoader)["spec"]
        if definition["group"] != group or definition["names"]["kind"] != kind:
            continue
        for served in definition["versions"]:
            if served["name"] == version:
                schema: dict[str, Any] = served["schema"]["openAPIV3Schema"]
                _close(schema)
                meta = _openapi("api__v1")
                schema["properties"]["metadata"] = {"$ref": f"#/components/schemas/{_META}"}
                return {**schema, "components": {"schemas": meta}}
    return None


def _close(schema: dict[str, Any]) -> None:
    """Let an object have no fields but those named, at every depth."""
    properties = schema.get("properties")
    if properties is not None:
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        if schema.get("x-kubernetes-embedded-resource"):
            properties |= {"apiVersion": {}, "kind": {}, "metadata": {}}
        for each in properties.values():
            _close(each)
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            _close(schema[key])

"""Examples of the API's description, beside each body and answer. Pure.

FastAPI leaves every null out of a description, out of its examples too; where the schema requires a
field that may be null, it is put back.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

Schemas = Mapping[str, dict[str, Any]]


def show_examples(operation: Mapping[str, Any], schemas: Schemas) -> None:
    """Put the example of each model where tools look for it first: beside the schema."""
    answers = [
        answer
        for status, answer in operation["responses"].items()
        if int(status) < HTTPStatus.MULTIPLE_CHOICES
    ]
    for part in (operation.get("requestBody", {}), *answers):
        for content in part.get("content", {}).values():
            schema = _resolved(content.get("schema", {}), schemas)
            examples = schema.get("examples") or [each for each in (schema.get("example"),) if each]
            if examples and not {"example", "examples"} & content.keys():
                content["example"] = examples[0]


def complete_examples(schemas: Schemas) -> None:
    """Put the nulls back into the models' own examples."""
    for schema in schemas.values():
        if "examples" in schema:
            schema["examples"] = [with_nulls(each, schema, schemas) for each in schema["examples"]]


def with_nulls(example: Any, schema: Mapping[str, Any], schemas: Schemas) -> Any:
    """Return an example with null where the schema requires what it lacks."""
    schema = _resolved(schema, schemas)
    if isinstance(example, list):
        items = schema.get("items", {})
        return [with_nulls(each, items, schemas) for each in example]
    if not isinstance(example, dict):
        return example
    fields: Mapping[str, Any] = schema.get("properties", {})
    found = {
        name: with_nulls(each, fields.get(name, {}), schemas) for name, each in example.items()
    }
    missing = [name for name in schema.get("required", ()) if name not in found]
    return found | {name: None for name in missing if _may_be_null(fields.get(name, {}))}


def _resolved(schema: Mapping[str, Any], schemas: Schemas) -> Mapping[str, Any]:
    """Return what a schema refers to; of alternatives, the one that is not null."""
    for alternative in schema.get("anyOf", ()):
        if alternative.get("type") != "null":
            return _resolved(alternative, schemas)
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return schemas.get(name, schema)


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return any(each.get("type") == "null" for each in schema.get("anyOf", ()))

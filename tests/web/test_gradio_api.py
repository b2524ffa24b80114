"""The functions for programs: their results match `openapi.json` and what the shell prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from epiqa import EpiQA
from epiqa.api.schemas import with_path
from epiqa.cli.show import answer_as_json, found_as_json
from epiqa.web.gradio_api import NAMES
from epiqa.web.gradio_openapi import describe, schema_of
from paths import ROOT
from web.visits import GRADIOS_WARNINGS, served

pytestmark = GRADIOS_WARNINGS

QUESTION = "Who presided over the meeting on February 2?"
KINDS: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
    "array": list, "object": dict,
}  # fmt: skip


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> EpiQA:
    return EpiQA.build([ROOT / "seeds"], index=tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def http(pipeline: EpiQA) -> Iterator[httpx.Client]:
    for address in served(pipeline):
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield client


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    """`openapi.json`, as it is served."""
    return dict(http.get("/gradio_api/openapi.json").json())


def call(http: httpx.Client, name: str, **parameters: Any) -> tuple[str, Any]:
    """Calls a function as curl would; returns the last event and its data."""
    asked = http.post(f"/gradio_api/call/v2/{name}", json=parameters).raise_for_status()
    answered = http.get(f"/gradio_api/call/{name}/{asked.json()['event_id']}").raise_for_status()
    *_, event, data = answered.text.strip().splitlines()
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def faults(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "") -> list[str]:
    """Returns where a value is not as its schema says, by the keywords that `openapi.py` uses."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]] | {k: v for k, v in schema.items() if k != "$ref"}
    if "anyOf" in schema:
        return min((faults(value, one, schemas, at) for one in schema["anyOf"]), key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r} is none of {schema['enum']}"]
    kind = schema["type"]
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{at}: {value!r} is no {kind}"]
    found: list[str] = []
    if kind == "object":
        fields = schema["properties"]
        found += [f"{at}: {name} is missing" for name in schema["required"] if name not in value]
        for name, inner in value.items():
            found += faults(inner, fields[name], schemas, f"{at}.{name}") if name in fields else [f"{at}: {name}?"]
    if kind == "array":
        ones: list[dict[str, Any]] = schema.get("prefixItems") or [schema["items"]] * len(value)
        if len(ones) != len(value):
            return [f"{at}: {len(value)} instead of {len(ones)}"]
        for number, one in enumerate(ones):
            found += faults(value[number], one, schemas, f"{at}[{number}]")
    return found


def result_schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns what the document says that comes back from a function."""
    events = document["paths"][f"/gradio_api/call/{name}/{{event_id}}"]["get"]["responses"]["200"]
    return dict(events["content"]["text/event-stream"]["schema"]["contentSchema"])


def test_results_match_the_openapi_document(http: httpx.Client, document: dict[str, Any], tmp_path: Path) -> None:
    schemas = document["components"]["schemas"]
    assert document == describe()

    def checked(name: str, **parameters: Any) -> Any:
        event, data = call(http, name, **parameters)
        assert event == "complete", data
        assert faults(data, result_schema(document, name), schemas) == []
        return data[0]

    answered = checked("ask", question=QUESTION)
    assert (answered["text"], answered["answers"][0]["citation"]["quote"]) == ("Tan Zuojun", "Tan Zuojun")
    assert list(answered["timings_ms"]) == ["retrieve", "read", "answer", "total"]
    assert checked("ask", question="How many vaccine doses did Dalian receive?")["answers"] == []
    assert len(checked("search", query="grid management", top_k=2)["passages"]) == 2
    listed = checked("documents")
    assert len(listed) == 3
    assert len(checked("document_text", document_id=listed[0]["document_id"])) == listed[0]["characters"]
    good, scan = tmp_path / "harbour.txt", ROOT / "tests" / "data" / "formats" / "chromium-scan.pdf"
    good.write_text("The harbour office in Jinzhou was opened by Gao Feng.", encoding="utf-8")
    sent = http.post("/gradio_api/upload", files=[("files", (p.name, p.read_bytes())) for p in (good, scan)])
    files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in sent.raise_for_status().json()]
    added = checked("add", files=files)
    assert [(row["name"], row["state"]) for row in added] == [
        ("harbour.txt", "added"),
        ("chromium-scan.pdf", "skipped"),
    ]
    assert "no text" in added[1]["reason"]
    (new,) = [row for row in checked("documents") if row["file"].endswith("harbour.txt")]
    assert checked("remove", document_id=new["document_id"]) == new


def test_an_error_is_returned_with_its_reason(http: httpx.Client, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, parameters, said in (
        ("ask", {"question": " "}, "question is empty"),
        ("ask", {"question": "When?", "since": "x"}, "since is 'x', not a day"),
        ("document_text", {"document_id": "x"}, "there is no document 'x'"),
        ("remove", {"document_id": "x"}, "there is no document 'x'"),
    ):
        event, data = call(http, name, **parameters)
        assert event == "error"
        assert faults({"error": data["error"]}, schemas["Error"], schemas) == []
        assert said in data["error"]


def test_the_document_names_every_function_parameter_and_field_and_says_what_it_is(
    document: dict[str, Any],
) -> None:
    posts = {name: document["paths"][f"/gradio_api/call/v2/{name}"]["post"] for name in NAMES}
    parameters = {
        name: post["requestBody"]["content"]["application/json"]["schema"]["properties"]
        for name, post in posts.items()
    }
    assert {name: list(fields) for name, fields in parameters.items()} == {
        "ask": ["question", "documents", "since", "until"],
        "search": ["query", "top_k", "documents", "since", "until"],
        "documents": [],
        "document_text": ["document_id"],
        "add": ["files"],
        "remove": ["document_id"],
    }
    schemas = document["components"]["schemas"]
    fields = {f"{name}.{field}": one for name, s in schemas.items() for field, one in s["properties"].items()}
    fields |= {f"{name}.{field}": one for name, inner in parameters.items() for field, one in inner.items()}
    assert [name for name, field in fields.items() if "description" not in field and "$ref" not in field] == []
    assert all(schema["description"] for schema in schemas.values())
    assert "Answer" in schemas and "Citation" in schemas


def test_gradio_itself_knows_the_types_too(http: httpx.Client) -> None:
    endpoints = http.get("/gradio_api/info").json()["named_endpoints"]
    returned = endpoints["/ask"]["returns"][0]["type"]
    assert returned["properties"]["answers"]["items"]["properties"]["citation"]["properties"]["start"] == {
        "type": "integer"
    }


def test_the_shell_prints_the_same(http: httpx.Client, pipeline: EpiQA) -> None:
    _, (over_http,) = call(http, "ask", question=QUESTION)
    in_the_shell = answer_as_json(pipeline.ask(QUESTION), pipeline.info)
    assert in_the_shell["answers"]
    for answer in (over_http, in_the_shell):
        assert answer.pop("timings_ms").keys() == {"retrieve", "read", "answer", "total"}
    assert with_path(over_http) == in_the_shell
    _, (found,) = call(http, "search", query="grid management", top_k=3)
    assert with_path(found) == found_as_json("grid management", pipeline.search("grid management", top_k=3))


def test_the_check_finds_values_that_violate_their_schema() -> None:
    schemas: dict[str, Any] = {
        "Row": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    }
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
    assert faults([{"n": 1}], rows, schemas) == []
    wrongs: tuple[Any, ...] = ([{"n": "1"}], [{}], [{"n": 1, "m": 2}], [{"n": True}], {"n": 1}, [None])
    for wrong in wrongs:
        assert faults(wrong, rows, schemas) != []
    with pytest.raises(TypeError, match="bytes"):
        schema_of(bytes, {})

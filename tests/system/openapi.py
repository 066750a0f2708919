"""doc/openapi.yaml as a judge: what a test sends and gets must be as it says, down to the last member."""
import json
import re

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from harness import HERE

PAGE = HERE.parent.parent / "doc" / "openapi.yaml"
PREFIX = "/api/v1"
METHODS = ("get", "post", "delete")


class Judge:
    def __init__(self):
        with open(PAGE, encoding="utf-8") as page:
            self.page = yaml.safe_load(page)
        self.seen = set()

    def resolve(self, node):
        while "$ref" in node:
            target = self.page
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def validate(self, schema, value):
        """As the schema says, with no member that it does not name."""
        Draft202012Validator({"$ref": "#/top", "top": schema, "components": self.page["components"]}).validate(value)
        self.know(schema, value, "")

    def members(self, schema):
        schema = self.resolve(schema)
        found = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            found |= self.members(part)
        return found

    def know(self, schema, value, path):
        schema = self.resolve(schema)
        if isinstance(value, list):
            for item in value:
                self.know(schema.get("items", {}), item, path + "[]")
        elif isinstance(value, dict):
            known = self.members(schema)
            for name, member in value.items():
                if name in known:
                    self.know(known[name], member, f"{path}.{name}")
                elif known and "additionalProperties" not in schema:
                    raise ValidationError(f"{path}.{name} is not described")

    def find(self, method, path):
        """The operation of a request, its template and its path's parameters."""
        for template, item in self.page["paths"].items():
            pattern = re.sub(r"\{\w+\}", r"([^/]+)", PREFIX + template)
            if re.fullmatch(pattern, path) and method.lower() in item:
                if "{" in template and path.removeprefix(PREFIX) in self.page["paths"]:
                    continue
                return template, item[method.lower()]
        raise ValidationError(f"{method} {path} is not described")

    def parameters(self, template, operation):
        given = self.page["paths"][template].get("parameters", []) + operation.get("parameters", [])
        return {p["name"]: p for p in map(self.resolve, given)}

    def check_request(self, method, path, query, body):
        """Raises ValidationError where a request is not one that the page describes."""
        template, operation = self.find(method, path)
        known = self.parameters(template, operation)
        for name, value in query.items():
            if known.get(name, {}).get("in") != "query":
                raise ValidationError(f"parameter {name} is not described")
            schema = self.resolve(known[name]["schema"])
            is_number = schema.get("type") == "integer" and re.fullmatch("-?[0-9]+", str(value))
            self.validate(schema, int(value) if is_number else str(value))
        if body:
            self.validate(operation["requestBody"]["content"]["application/json"]["schema"], json.loads(body))
        elif operation.get("requestBody", {}).get("required"):
            raise ValidationError("there is no body")

    def check_answer(self, method, path, status, content_type, text):
        """Raises ValidationError where an answer is not as the page describes it."""
        template, operation = self.find(method, path)
        self.seen.add((method.lower(), template, status))
        responses = operation["responses"]
        content = self.resolve(responses.get(str(status), responses["default"]))["content"]
        if str(status) not in responses and status < 400:
            raise ValidationError(f"status {status} is not described")
        if content_type not in content:
            raise ValidationError(f"{content_type} is not described for {status}")
        if content_type.endswith("json"):
            answer = json.loads(text)
            self.validate(content[content_type]["schema"], answer)
            if status >= 400 and answer["status"] != status:
                raise ValidationError(f"status {answer['status']} in the body of a {status}")

    def operations(self):
        return {(method, template) for template, item in self.page["paths"].items() for method in METHODS if method in item}

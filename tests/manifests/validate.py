#!/usr/bin/env python3
"""Validates manifests against schemas that this project did not make.

    python3 -m venv .venv && .venv/bin/pip install --require-hashes -r tests/manifests/requirements.txt
    .venv/bin/python tests/manifests/validate.py PATH...

A path is a YAML file, a folder (hidden parts are passed over), or a bare Git repository, whose HEAD is read.
Kubernetes' kinds are checked against Kubernetes' own published schemas in their strict form (a field that is
not there is refused), from the package `kubernetes-validate`; HTTPRoute against the custom resource definition
in the Go module `sigs.k8s.io/gateway-api`, fetched by the `go` command when a first HTTPRoute is met.
YAML is read as version 1.1 by libyaml, which is closer to what Kubernetes' own tools do than the YAML 1.2
reader of the renderer. A key that is there twice is refused.

Prints a line for every failure and `N documents, M failures` at the end. Exit status: 0 if all are valid,
1 if one is not or if there are none, 2 if validation itself is impossible.
"""

import argparse
import collections
import io
import json
import pathlib
import subprocess
import sys
import tarfile

import jsonschema_rs
import kubernetes_validate
import yaml

KUBERNETES = "1.33.0"
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.3.0"
HTTP_ROUTE_CRD = "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
SCHEMAS = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"


class Impossible(Exception):
    """Nothing can be said about the manifests."""


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Refuses a key that is there twice, which PyYAML would let win."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {name!r} is there twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def definitions(_uri):
    return json.loads((SCHEMAS / "_definitions.json").read_text(encoding="utf-8"))


def strict(schema):
    """The schema of a custom resource with unknown fields refused, as the API server prunes or refuses them."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    return schema


def http_route_schema():
    try:
        answer = subprocess.run(["go", "mod", "download", "-json", GATEWAY_API], cwd="/", capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stdout", "") or str(error)
        raise Impossible(f"the schema of HTTPRoute is needed and `go mod download {GATEWAY_API}` failed: {detail.strip()}") from error
    folder = pathlib.Path(json.loads(answer.stdout)["Dir"])
    definition = yaml.safe_load((folder / HTTP_ROUTE_CRD).read_text(encoding="utf-8"))
    version = next(version for version in definition["spec"]["versions"] if version["name"] == "v1")
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"$ref": "/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    schema["$id"] = "https://kubernetes.io/api/httproute"
    # Kubernetes reads schemas as OpenAPI 3.0, where `format` names what JSON Schema does not know.
    return schema


class Validators:
    """One compiled validator a kind."""

    def __init__(self):
        self.by_kind = {}

    def of(self, version, kind):
        if (version, kind) not in self.by_kind:
            self.by_kind[version, kind] = self.compile(version, kind)
        return self.by_kind[version, kind]

    @staticmethod
    def compile(version, kind):
        if (version, kind) == ("gateway.networking.k8s.io/v1", "HTTPRoute"):
            schema = http_route_schema()
        else:
            group, _, number = version.rpartition("/")
            parts = [kind.lower(), group.split(".")[0], number] if group else [kind.lower(), number]
            path = SCHEMAS / f"{'-'.join(parts)}.json"
            if not path.is_file():
                return None
            schema = json.loads(path.read_text(encoding="utf-8"))
        return jsonschema_rs.validator_for(schema, retriever=definitions)


def failures_of(document, validators):
    """What is wrong with one document, as sentences."""
    if not isinstance(document, dict):
        return ["is no object"]
    version, kind = document.get("apiVersion"), document.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return ["has no apiVersion and kind"]
    validator = validators.of(version, kind)
    if validator is None:
        return [f"Kubernetes {KUBERNETES} has no {version} {kind}"]
    found = []
    for error in validator.iter_errors(document):
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        found.append(f"{place or '.'}: {error.message}")
    return found


def bare(path):
    return (path / "HEAD").is_file() and (path / "objects").is_dir()


def texts(path):
    """Name and bytes of every YAML file."""
    if path.is_file():
        yield str(path), path.read_bytes()
    elif bare(path):
        archive = subprocess.run(["git", "-C", str(path), "archive", "--format=tar", "HEAD"], capture_output=True, check=False)
        if archive.returncode != 0:
            raise Impossible(f"{path}: {archive.stderr.decode(errors='replace').strip()}")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(".yaml") and not any(part.startswith(".") for part in member.name.split("/")):
                    yield f"{path}:{member.name}", tar.extractfile(member).read()
    elif path.is_dir():
        for file in sorted(path.rglob("*.yaml")):
            if not any(part.startswith(".") for part in file.relative_to(path).parts):
                yield str(file), file.read_bytes()
    else:
        raise Impossible(f"{path}: there is no such file or folder")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=pathlib.Path, metavar="PATH", help="YAML file, folder, or bare Git repository")
    parser.add_argument("--kinds", action="store_true", help="print how many documents of each kind there were")
    arguments = parser.parse_args()
    validators, kinds, failures = Validators(), collections.Counter(), 0
    try:
        for path in arguments.paths:
            for name, text in texts(path):
                try:
                    documents = [document for document in yaml.load_all(text, Loader=StrictLoader) if document is not None]
                except yaml.YAMLError as error:
                    failures += 1
                    print(f"{name}: is no YAML: {' '.join(str(error).split())}")
                    continue
                for document in documents:
                    kind = document.get("kind") if isinstance(document, dict) else None
                    kinds[str(kind)] += 1
                    for failure in failures_of(document, validators):
                        failures += 1
                        metadata = document.get("metadata") if isinstance(document, dict) else None
                        called = metadata.get("name") if isinstance(metadata, dict) else None
                        print(f"{name}: {kind}/{called}: {failure}")
    except Impossible as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.kinds:
        for kind, count in sorted(kinds.items()):
            print(f"{kind}: {count}")
    total = sum(kinds.values())
    print(f"{total} documents, {failures} failures")
    return 1 if failures or not total else 0


if __name__ == "__main__":
    sys.exit(main())

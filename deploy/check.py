#!/usr/bin/env python3
"""Checks the chart and the manifests without a Kubernetes: `cargo xtask deploy`.

  check.py --helm PROGRAM [--update]

Lints the chart, renders it for several versions and settings, validates what comes out against the
schemas of Kubernetes (package kubernetes-validate), asserts our own policy on every pod, and
compares deploy/manifests with what the chart renders; --update writes them anew.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).parent
CHART = HERE / "helm" / "firesteel"
MANIFESTS = HERE / "manifests"

# The oldest and the newest Kubernetes we say we run on.
VERSIONS = ("1.33", "1.37")

# Settings whose rendering is checked in.
RENDERED = {"default.yaml": {}}

# Further settings that must render and validate.
VARIANTS = {
    "autoscaled": {"executor": {"autoscaling": {"enabled": True}}},
    "scaled by others": {"executor": {"replicas": None}},
    "closed": {"networkPolicy": {"enabled": True, "clients": [{"podSelector": {"matchLabels": {"role": "job"}}}]}},
    "monitored": {"podMonitor": {"enabled": True}},
    "kept": {"scheduler": {"storage": {"existingClaim": "tables"}}, "sparkConf": {"spark.sql.session.timeZone": "UTC"}},
    "bare": {"podDisruptionBudget": {"enabled": False}, "serviceAccount": {"create": False}},
}

# Settings the schema must refuse.
REFUSED = [
    {"executors": {"replicas": 3}},
    {"executor": {"replicas": -1}},
    {"executor": {"vcores": 0}},
    {"log": {"format": "xml"}},
]

# Kinds that are not Kubernetes' own.
FOREIGN = {"PodMonitor"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm", required=True)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    helm = Helm(options.helm)
    helm.call("lint", "--strict", str(CHART))

    for file, values in RENDERED.items():
        rendered = helm.render(values, VERSIONS[0])
        path = MANIFESTS / file
        if options.update:
            path.write_text(rendered)
        if path.read_text() != rendered:
            raise SystemExit(f"{path} is not what the chart renders: run `cargo xtask deploy --update`")
    count = 0
    for name, values in {"default": {}, **VARIANTS}.items():
        for version in VERSIONS:
            count += check(name, version, list(yaml.safe_load_all(helm.render(values, version))))
    for values in REFUSED:
        if helm.renders(values):
            raise SystemExit(f"the chart accepts {values}")
    print(f"{count} objects valid, {len(REFUSED)} wrong settings refused")


class Helm:
    def __init__(self, program):
        self.program = program

    def call(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"helm {arguments[0]} failed\n{done.stdout}{done.stderr}")
        return done.stdout

    def command(self, values, version, file):
        yaml.safe_dump(values, file)
        file.flush()
        return ["template", "firesteel", str(CHART), "--kube-version", version, "--values", file.name]

    def render(self, values, version):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            return self.call(*self.command(values, version, file))

    def renders(self, values):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            command = self.command(values, VERSIONS[0], file)
            return subprocess.run([self.program, *command], capture_output=True).returncode == 0


def check(name, version, objects):
    objects = [o for o in objects if o]
    kinds = [o["kind"] for o in objects]
    if kinds.count("Deployment") != 2 or kinds.count("Service") != 2:
        raise SystemExit(f"{name}: expected two deployments and two services, got {kinds}")
    for item in objects:
        if item["kind"] not in FOREIGN:
            kubernetes_validate.validate(item, version, strict=True)
        for problem in policy(item):
            raise SystemExit(f"{name}: {item['kind']} {item['metadata']['name']}: {problem}")
    claimed = [o for o in objects if o["kind"] == "Deployment" and "replicas" in o["spec"]]
    if name in ("autoscaled", "scaled by others") and len(claimed) != 1:
        raise SystemExit(f"{name}: the executors' replicas must be left to whatever scales them")
    return len(objects)


def policy(item):
    """What our own rules say against an object."""
    if item["kind"] == "Service":
        for port in item["spec"]["ports"]:
            if port.get("protocol") != "TCP":
                yield f"port {port['name']} does not say its protocol"
    spec = item["spec"] if item["kind"] == "Pod" else item.get("spec", {}).get("template", {}).get("spec")
    if not spec or "containers" not in spec:
        return
    if spec["securityContext"].get("runAsNonRoot") is not True:
        yield "may run as root"
    if spec.get("automountServiceAccountToken") is not False:
        yield "mounts a token it does not need"
    if spec.get("enableServiceLinks") is not False:
        yield "gets service links as settings"
    for container in spec["containers"]:
        yield from container_policy(container, item["kind"] == "Deployment")
    if item["kind"] == "Deployment" and spec["terminationGracePeriodSeconds"] <= 30:
        yield "is killed before it has drained"


def container_policy(container, serving):
    security = container["securityContext"]
    if security.get("allowPrivilegeEscalation") is not False or security["capabilities"]["drop"] != ["ALL"]:
        yield "keeps privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write to its image"
    if "memory" not in container["resources"].get("limits", {}):
        yield "has no memory limit"
    if serving:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container.get(probe, {}).get("httpGet", {}).get("port") != "health":
                yield f"has no {probe} on the health port"


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes the image without a daemon: oci.py BINARY OUT.tar

OUT.tar is an OCI layout that `docker load`, `ctr image import` and `skopeo` read. The same binary
gives the same bytes.
"""

import gzip
import hashlib
import io
import json
import pathlib
import platform
import subprocess
import sys
import tarfile
import tempfile

TAG = "firesteel:0.1.0"
PORTS = (15002, 15050, 15051, 15052, 15080)


def main():
    binary, out = map(pathlib.Path, sys.argv[1:3])
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "rootfs"
        subprocess.run(["sh", str(here / "rootfs.sh"), str(binary), str(root)], check=True)
        layer = pack(root)
    compressed = gzip.compress(layer, mtime=0)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    config = encode({
        "architecture": machine,
        "os": "linux",
        "config": {
            "User": "65532:65532",
            "Entrypoint": ["/usr/bin/firesteel"],
            "Cmd": ["serve", "--listen", "0.0.0.0:15002", "--health-listen", "0.0.0.0:15080"],
            "ExposedPorts": {f"{port}/tcp": {} for port in PORTS},
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    })
    manifest = encode({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": describe("application/vnd.oci.image.config.v1+json", config),
        "layers": [describe("application/vnd.oci.image.layer.v1.tar+gzip", compressed)],
    })
    pointer = describe("application/vnd.oci.image.manifest.v1+json", manifest)
    pointer["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    blobs = {digest(blob)[7:]: blob for blob in (config, manifest, compressed)}
    files = {f"blobs/sha256/{name}": blob for name, blob in blobs.items()}
    files["oci-layout"] = encode({"imageLayoutVersion": "1.0.0"})
    files["index.json"] = encode({"schemaVersion": 2, "manifests": [pointer]})
    # What `docker load` reads where it does not know OCI layouts.
    files["manifest.json"] = encode([{
        "Config": f"blobs/sha256/{digest(config)[7:]}",
        "RepoTags": [TAG],
        "Layers": [f"blobs/sha256/{digest(compressed)[7:]}"],
    }])
    with tarfile.open(out, "w") as archive:
        for name, content in sorted(files.items()):
            add(archive, tarfile.TarInfo(name), content)
    print(f"{out}: {TAG}, {out.stat().st_size / 1e6:.0f} MB")


def pack(root):
    """A tar of `root`, owned by root, without times: the same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(root.rglob("*")):
            info = tarfile.TarInfo(str(path.relative_to(root)))
            info.mode = path.stat().st_mode & 0o7777
            if path.is_dir():
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                add(archive, info, path.read_bytes())
    return buffer.getvalue()


def add(archive, info, content):
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def encode(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def describe(kind, content):
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


if __name__ == "__main__":
    main()

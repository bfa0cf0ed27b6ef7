"""Writes the version of the package into the files that can't read it from there."""

import re

from genesys_gateway.runtime.version import __version__

#: These files, in the project.
FILES = (
    "Dockerfile",
    "deploy/compose/compose.yaml",
    "deploy/kubernetes/overlays/one-instance-sqlite/kustomization.yaml",
    "deploy/kubernetes/overlays/two-instances-postgresql/kustomization.yaml",
    "docs/container.md",
    "docs/systemd.md",
)
#: What stands before the version: an image, an argument, a tag, a label, a folder, a wheel, a link to the folder.
_BEFORE = (
    *("genesys-gateway:", "ARG VERSION=", "newTag: ", "app.kubernetes.io/version: "),
    *("/opt/genesys-gateway/", "genesys_gateway-", "ln -sfn "),
)
_VERSION = re.compile(rf"({'|'.join(map(re.escape, _BEFORE))})\d+\.\d+\.\d+")


def with_version(text: str) -> str:
    """The text of one of these files, with the version of the package wherever it names one."""
    return _VERSION.sub(rf"\g<1>{__version__}", text)

#!/usr/bin/env bash
# Builds the image of the Dockerfile where no registry of container images is reached: `make image-steps`.
# It makes a base image of Debian 12 by debootstrap, and lets buildah execute the Dockerfile on it. Root is needed, as are
# Debian's mirror, PyPI, and Debian's packages buildah, podman, runc and debootstrap. Arguments go to buildah.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly base=localhost/genesys-gateway-base:bookworm
readonly certificates=/etc/ssl/certs/ca-certificates.crt

for program in buildah podman runc debootstrap; do
  command -v "$program" >/dev/null || { echo "Missing: apt-get install buildah podman runc debootstrap" >&2; exit 1; }
done
[ "$(id -u)" -eq 0 ] || { echo "Only root can make a root file system." >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What the official image has and the Dockerfile needs: Python 3.11 with venv, certificates, no byte code of the library.
make_base() {
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$scratch/root" >"$scratch/log" \
    || { tail "$scratch/log" >&2; return 1; }
  rm -rf "$scratch"/root/var/cache/apt/archives/*.deb "$scratch"/root/var/lib/apt/lists/*
  ln -s ../../bin/python3 "$scratch/root/usr/local/bin/python"
  find "$scratch/root/usr/lib" -name __pycache__ -prune -exec rm -rf {} +
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$scratch/root" / >/dev/null
  buildah commit --quiet --rm "$container" "$base" >/dev/null
}

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo "== base image by debootstrap"
  make_base
fi

echo "== Dockerfile by buildah"
# The certificates of this machine: the path to PyPI may lead through a proxy with a certificate of its own.
printf '[global]\ncert = %s\n' "$certificates" >"$scratch/pip.conf"
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' genesys_gateway/runtime/version.py)
buildah bud --format docker --isolation chroot --pull-never --layers \
  --volume "$certificates:$certificates:ro" --volume "$scratch/pip.conf:/etc/pip.conf:ro" \
  --build-arg "BASE=$base" --build-arg "VERSION=$version" --build-arg "REVISION=$(git describe --always --dirty --abbrev=40 --exclude "*")" \
  --tag "genesys-gateway:$version" "$@" . >"$scratch/build.log" 2>&1 \
  || { tail -n 40 "$scratch/build.log" >&2; exit 1; }
grep -E '^\[[0-9]+/[0-9]+\] STEP' "$scratch/build.log" | cut -c 1-110
echo "Built genesys-gateway:$version. To remove it: podman rmi genesys-gateway:$version $base"

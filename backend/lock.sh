#!/usr/bin/env bash
# Locks the newest versions of all dependencies with the hashes of every platform, in files that name no index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
TOOLS=$(mktemp -d)
trap 'rm -rf "$TOOLS"' EXIT
.venv/bin/python -m venv "$TOOLS"
"$TOOLS/bin/pip" install -q uv
compile() {
  "$TOOLS/bin/uv" pip compile -q --upgrade pyproject.toml "$@" --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --no-config
}
compile -o requirements.lock
# The second lock holds the first one's versions and adds the tools of the developers.
compile --group dev --constraints requirements.lock -o requirements-dev.lock
# The site of the documentation is built by tools in an environment of their own.
"$TOOLS/bin/uv" pip compile -q --upgrade requirements-docs.in --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --no-header --no-config -o requirements-docs.lock

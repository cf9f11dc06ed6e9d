#!/usr/bin/env bash
# Compares the frontend's list of operator versions with the newest onnx of PyPI: run_operator_versions.sh BUILD_FOLDER.
# A version that the list lacks fails the test, so that a change of an operator is read before it surprises anyone.
set -euo pipefail
build=$(cd "${1:?usage: run_operator_versions.sh BUILD_FOLDER}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
source "$here/environment.sh"

newest=$build/peers/newest
fetch() {
  [ -x "$newest/bin/pip" ] || python3 -m venv "$newest" || return
  "$newest/bin/pip" install --quiet --disable-pip-version-check --upgrade onnx
}
or_skip "the newest onnx" fetch
exec "$newest/bin/python" "$here/../../scripts/operator_versions.py"

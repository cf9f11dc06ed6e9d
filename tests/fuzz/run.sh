#!/bin/bash
# Builds the fuzzers and lets each search for SECONDS (default 900): tests/fuzz/run.sh [SECONDS [NAME…]]. Corpora grow in
# build/fuzz/corpus; what ends a fuzzer is kept in build/fuzz/found, and belongs, mended, into tests/fuzz/cases/NAME.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-900}
shift || true
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(model data_locations tar npz mod_json)

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz --target fuzz_seeds "${names[@]/%/_fuzzer}"
corpus=build/fuzz/corpus
mkdir -p "$corpus/model" "$corpus/data_locations" build/fuzz/found
build/fuzz/bin/fuzz_seeds "$corpus"
# Models of at most 8 KiB, each under the name of its test.
dpkg -L libonnx-testdata | grep '/model\.onnx$' | while read -r model; do
  [ "$(stat -c %s "$model")" -gt 8192 ] || cp "$model" "$corpus/model/$(basename "$(dirname "$model")")"
done
cp "$corpus"/model/* "$corpus/data_locations"
status=0
for name in "${names[@]}"; do
  echo "== $name: $seconds s"
  "build/fuzz/bin/${name}_fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=16384 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$name-" "$corpus/$name" "tests/fuzz/cases/$name" > "build/fuzz/$name.log" 2>&1 || status=1
  grep -E "^(stat::number_of_executed_units|SUMMARY)|DONE" "build/fuzz/$name.log" || tail -3 "build/fuzz/$name.log"
done
exit $status

#!/usr/bin/env bash
# Checks the format, builds everything and runs every test: release, then lint, then address and undefined-behaviour sanitizers,
# then the thread sanitizer on the runtime. Long suites run a sample that changes daily and prints its seed; HONE_TEST_MODE=full
# runs them whole. Lint and sanitizers look at a part of the tree in both modes, at another one each day. With CI set, a
# missing peer (ONNX Runtime from PyPI) is a failure; elsewhere it is skipped with a sentence.
set -euo pipefail
cd "$(dirname "$0")"
source scripts/steps.sh

logs=build/logs
jobs=$(nproc)
start=$SECONDS
export HONE_TEST_MODE=${HONE_TEST_MODE:-sampled}
export HONE_TEST_SEED=${HONE_TEST_SEED:-$(date +%Y%m%d)}
lint_shares=16
# What takes longest in the full mode waits for leases, restarts and disks a good part of its time.
if [ "$HONE_TEST_MODE" = full ]; then jobs=$((jobs + 1)); fi
totals=()

# failures LOG: the last 60 lines that each failing test printed.
failures() {
  awk 'function show(i) {for (i = count > 60 ? count - 60 : 0; i < count; i++) print lines[i]; count = 0}
       /^ *[0-9]+\/[0-9]+ Test |^ +Start +[0-9]+:|^[0-9]+% tests passed/ {show(); failed = 0}
       /^ *[0-9]+\/[0-9]+ Test .*\*\*\*/ {failed = 1; print; next}
       failed {lines[count++] = substr($0, 1, 300)}
       END {show()}' "$1"
  sed -n '/^The following tests FAILED/,$p' "$1"
}

# run_tests PRESET [CTEST ARGUMENTS...]: all of them, then ctest's own closing lines.
run_tests() {
  local preset=$1 log=$logs/ctest-$1.log
  shift
  echo "        ctest --preset $preset $*"
  ctest --preset "$preset" --parallel "$jobs" --no-tests=error --output-on-failure "$@" >"$log" 2>&1 </dev/null || {
    failures "$log" >&2
    die "tests failed in the preset $preset; all of the output is in $log"
  }
  sed -n '/tests passed/,$p' "$log" | sed '/^$/d; s/^/        /'
  totals+=("$preset $(sed -n 's/.*tests passed.* out of \([0-9]*\)$/\1/p' "$log")")
}

echo "hone: build and test everything (mode $HONE_TEST_MODE, seed $HONE_TEST_SEED)"
step "install Debian packages" scripts/setup.sh

step "check format" scripts/format.sh  # takes seconds: no reason to hear of it after half an hour
step "configure release" cmake --preset release
step "build release" cmake --build --preset release
run_tests release
step "lint" scripts/lint.sh build/release "$lint_shares"

# One half a day: the compiler, or the service.
halves=(-DHONE_BUILD_SERVICE=OFF -DHONE_BUILD_COMPILER=OFF)
whole=(-DHONE_BUILD_COMPILER=ON -DHONE_BUILD_SERVICE=ON)
export HONE_TEST_MODE=sampled  # they make everything several times slower
half=${halves[$(($(date +%s) / 86400 % 2))]}
step "configure asan" cmake --preset asan "${whole[@]}" "$half"
step "build asan" cmake --build --preset asan
run_tests asan

# LLVM and onnx are not instrumented, so the thread sanitizer has something to say about the runtime only.
step "configure tsan" cmake --preset tsan -DHONE_BUILD_COMPILER=OFF -DHONE_BUILD_SERVICE=OFF
step "build tsan" cmake --build --preset tsan
run_tests tsan

printf 'all tests passed (%s) in %d s\n' "$(IFS=,; echo "${totals[*]}" | sed 's/,/, /g')" $((SECONDS - start))

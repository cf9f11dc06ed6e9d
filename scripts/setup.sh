#!/usr/bin/env bash
# Installs everything that building and testing hone needs, from Debian 12's own packages. Run it as root or as a user
# with sudo, as often as you like: when nothing is missing it does nothing and needs neither. `setup.sh device` installs
# only what building a light device worker needs, which has no compiler in it.
set -euo pipefail

what=${1:-everything}
build_tools=(g++ binutils cmake ninja-build)
messages=(libprotobuf-dev protobuf-compiler libabsl-dev nlohmann-json3-dev libcli11-dev libxxhash-dev libssl-dev zlib1g-dev)
# gRPC, the store, logs, metrics, the children's sandbox
service=(
  libgrpc++-dev protobuf-compiler-grpc libsqlite3-dev libsqlitecpp-dev libspdlog-dev prometheus-cpp-dev
  libcpp-httplib-dev libseccomp-dev
)
# code generation, the ONNX frontend, artifacts
compiler=(llvm-19-dev liblld-19-dev libonnx-dev libarchive-dev)
# the clang tools are pinned to 19, so that format and lint say the same everywhere; the sanitizers are clang's, too
lint=(clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev git)
# GoogleTest, ONNX's backend test data, peers in a Python environment of their own
tests=(libgtest-dev libonnx-testdata python3 python3-venv ca-certificates)

fail() {
  echo "setup: $*" >&2
  exit 1
}

case "$what" in
  everything) packages=("${build_tools[@]}" "${messages[@]}" "${service[@]}" "${compiler[@]}" "${lint[@]}" "${tests[@]}") ;;
  device) packages=("${build_tools[@]}" "${messages[@]}" "${service[@]}") ;;
  *) fail "unknown choice '$what'; it is everything, which is the default, or device" ;;
esac

command -v dpkg-query >/dev/null || fail "this script knows Debian's package manager only; install by hand: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null; then
  as_root=(sudo env)
else
  fail "${#missing[@]} packages are missing and this user is neither root nor has sudo; ask for: apt-get install ${missing[*]}"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" \
    >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    fail "apt-get $1 failed; its last lines are above"
  }
}
echo "setup: installing ${#missing[@]} of ${#packages[@]} packages: ${missing[*]}"
apt update
apt install --yes --no-install-recommends "${missing[@]}"
echo "setup: done"

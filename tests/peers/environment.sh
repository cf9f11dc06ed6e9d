# For tests that need packages of PyPI; sourced, not run. The environments are made on first use, in the build folder.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/steps.sh"

# or_skip WHAT COMMAND...: runs the command, one test at a time. Where it fails, WHAT cannot be had: then the test fails when CI
# is set and is skipped (77, see CMakeLists.txt) elsewhere. Expects the build folder in $build.
or_skip() {
  local what=$1
  shift
  mkdir -p "$build/peers"
  exec 9>"$build/peers/lock"
  flock 9
  if ! "$@"; then
    if [ -n "${CI:-}" ]; then die "$what cannot be had from PyPI, and CI is set: this is a failure"; fi
    echo "skipped: $what cannot be had from PyPI (CI is not set, so this is no failure)"
    exit 77
  fi
  flock --unlock 9
}

#!/usr/bin/env bash
# Checks habits with clang-tidy 19: lint.sh BUILD_FOLDER [SHARES]. BUILD_FOLDER has compile_commands.json and has been
# built (generated headers). With SHARES, one file in SHARES is read, another one each day. gcc may know warnings that
# clang does not.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/lint.sh BUILD_FOLDER [SHARES]}
shares=${2:-1}

# Without precompiled headers: a file that includes too little is an error here.
commands=$(mktemp -d)
trap 'rm -rf "$commands"' EXIT
sed -E 's# (-fpch-preprocess|-Winvalid-pch)##g; s# -include [^ "]*/cmake_pch\.hxx##' \
  "$build/compile_commands.json" >"$commands/compile_commands.json"

turn=$(($(date +%s) / 86400 % shares))
chosen=()
mapfile -t units < <(git ls-files -- '*.cpp')
for i in "${!units[@]}"; do
  unit=${units[i]}
  # what this configuration does not compile cannot be checked in it
  if [ $((i % shares)) -eq "$turn" ] && grep --quiet --fixed-strings "$PWD/$unit\"" "$commands/compile_commands.json"; then
    chosen+=("$unit")
  fi
done
printf '%s\0' "${chosen[@]}" |
  xargs -0 --max-procs="$(nproc)" --max-args=1 clang-tidy-19 -p "$commands" --quiet --extra-arg=-Wno-unknown-warning-option 2> >(grep -v ' warnings\? generated\.$' >&2 || true)
echo "clang-tidy: ${#chosen[@]} of ${#units[@]} files"

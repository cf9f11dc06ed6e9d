#!/usr/bin/env bash
# Checks that everything is laid out as clang-format 19 does it, or lays it out: format.sh [--mend].
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files -- '*.cpp' '*.c' '*.h' '*.hpp')
if [ "${1:-}" = --mend ]; then exec clang-format-19 -i "${sources[@]}"; fi
if ! report=$(clang-format-19 --dry-run -Werror "${sources[@]}" 2>&1); then
  echo "not formatted (mend with: scripts/format.sh --mend):" >&2
  grep -oE '^[^: ]+:[0-9]+:' <<<"$report" | cut -d: -f1 | sort | uniq -c >&2
  exit 1
fi
echo "format: ${#sources[@]} files"

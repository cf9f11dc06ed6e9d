#!/usr/bin/env bash
# Prints the Debian packages whose libraries these programs load, one a line: runtime_packages.sh PROGRAM... A machine that
# only runs hone needs these and none that building needs. What those packages need themselves is left to apt.
set -euo pipefail

for program in "$@"; do
  wanted=$(objdump --private-headers "$program" | awk '$1 == "NEEDED" {print $2}')
  while read -r name _ path _; do
    grep --quiet --line-regexp --fixed-strings "$name" <<<"$wanted" || continue
    [ "$path" != not ] || { echo "runtime_packages: $program needs $name, which is not installed" >&2; exit 1; }
    # The file itself, not a link of a development package; and with a merged /usr, the package manager may know it by
    # another name than the linker.
    file=$(realpath "$path")
    owner=$(dpkg-query --search "$file" "${file#/usr}" "$path" 2>/dev/null | head -n 1 || true)
    [ -n "$owner" ] || { echo "runtime_packages: no package has $path, which $program needs" >&2; exit 1; }
    echo "${owner%%:*}"
  done < <(ldd "$program")
done | sort --unique

#!/bin/sh
# The light worker needs no compiler: check_light.sh PROGRAM LIMIT_BYTES STRIP. Prints its size.
set -eu
program=$1 limit=$2 strip=$3
needed=$(ldd "$program")
if echo "$needed" | grep -Ei 'llvm|onnx|xgboost|lld|archive'; then
  echo "the light worker must not need these"
  exit 1
fi
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
"$strip" -o "$copy" "$program"
size=$(stat -c %s "$copy")
echo "light worker: $size bytes, limit $limit; libraries: $(echo "$needed" | wc -l)"
[ "$size" -le "$limit" ]
# Linked statically, the compiler would not show in ldd.
if strings -a "$copy" | grep -qE 'LLVM version|onnx\.ModelProto'; then
  echo "the light worker holds parts of the compiler"
  exit 1
fi

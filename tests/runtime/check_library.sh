#!/bin/sh
# The shared library (or a program) needs nothing but the C and C++ libraries, and is small. Arguments: file, limit in bytes
# of the stripped file, strip, readelf.
set -eu
file=$1 limit=$2 strip=$3 readelf=$4
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
"$strip" -o "$stripped" "$file"
size=$(wc -c <"$stripped")
echo "$file: $size bytes stripped, at most $limit"
[ "$size" -le "$limit" ]
needed=$("$readelf" -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "needs:" $needed
[ -n "$needed" ]
for library in $needed; do
  case $library in
  libc.so.* | libm.so.* | libstdc++.so.* | libgcc_s.so.* | ld-linux*.so.*) ;;
  *)
    echo "must not need $library"
    exit 1
    ;;
  esac
done

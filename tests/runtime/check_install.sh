#!/bin/sh
# Installs the runtime into a new folder, builds examples/embed against it by find_package, and runs both it and hone-run.
# Arguments: cmake, the build folder, the source folder, the program that writes a sample artifact.
set -eu
cmake=$1 build=$2 source=$3 write_sample=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$cmake" --install "$build" --component runtime --prefix "$folder/prefix" >"$folder/log"
"$write_sample" "$folder/sample.tar"
for target in runtime runtime_static; do
  cp -r "$source/examples/embed" "$folder/$target"
  sed -i "s/PRIVATE hone::runtime)/PRIVATE hone::$target)/" "$folder/$target/CMakeLists.txt"
  "$cmake" -G Ninja -S "$folder/$target" -B "$folder/$target/build" -DCMAKE_PREFIX_PATH="$folder/prefix" >>"$folder/log"
  "$cmake" --build "$folder/$target/build" >>"$folder/log"
  "$folder/$target/build/embed" "$folder/sample.tar" >"$folder/out"
  cat "$folder/out"
  printf 'scaled (float32): 0 1 2 3 4\nnested/total (float32): 120000\n' | cmp - "$folder/out"
done
"$folder/prefix/bin/hone-run" --print-top 1 "$folder/sample.tar"
if "$folder/runtime/build/embed" /nowhere.tar; then exit 1; else [ $? -eq 5 ]; fi

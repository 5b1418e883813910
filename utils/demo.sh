#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# See head-opt work, starting from a bare Debian 12: sets up, builds, rewrites
# three small models that come with the onnx package and a full-size VGG16, and
# has ONNX Runtime check that each says the same before and after.
#
# Takes no arguments; leaves its files in build/demo. Needs about 5 GB of disk,
# 3 GB of memory, and, the first time, a network and some minutes.

set -euo pipefail

SCRIPT_NAME=demo
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

(($# == 0)) || die "takes no arguments (see the top of utils/demo.sh)"
cd "$ROOT"

DEMO="$BUILD/demo"
PYTHON="$VENV/bin/python"

# A model with external data is two files.
size_of() {
  local bytes
  bytes="$(stat -L -c %s "$1")"
  if [[ -f "$1.data" ]]; then
    bytes=$((bytes + $(stat -L -c %s "$1.data")))
  fi
  echo "$bytes"
}

# try NAME MODEL: rewrite, measure, compare. Every file of it is NAME.something,
# which is where demo_summary.py looks.
try() {
  local name="$1" model="$2" out="$DEMO/$1.out.onnx"
  rm -f "$out" "$out.data" "$DEMO/$name".*.json
  printf '\n=== %s\n' "$name"
  printf '$ build/bin/head-opt %s -o %s --report=%s\n' "$(basename "$model")" \
    "$(rel "$out")" "$(rel "$DEMO/$name.report.json")"
  # The interpreter is left out of the measurement: it only starts the tool.
  "$PYTHON" "$ROOT/utils/lib/measure.py" "$DEMO/$name.measure.json" \
    "$BUILD/bin/head-opt" "$model" -o "$out" \
    --report="$DEMO/$name.report.json" ||
    die "head-opt failed on $name (its message is above)"
  [[ -f "$out" ]] || die "head-opt wrote no $(rel "$out")"
  local before after
  before="$(size_of "$model")" after="$(size_of "$out")"
  printf 'file size %s -> %s bytes\n' "$before" "$after"
  printf '{"before": %s, "after": %s}\n' "$before" "$after" \
    >"$DEMO/$name.sizes.json"
  printf 'both models in ONNX Runtime, same random input:\n'
  "$PYTHON" "$ROOT/utils/compare_outputs.py" "$model" "$out" \
    --json "$DEMO/$name.compare.json" ||
    die "the outputs of $name differ before and after (see above)"
}

"$ROOT/utils/setup.sh"

start=$SECONDS
mkdir -p "$DEMO"
say "building head-opt (some minutes the first time)"
rm -f "$LOGS/configure.log" "$LOGS/build.log"
logged "$LOGS/configure.log" "could not configure head-opt" \
  "delete build/ and run this again" configure
logged "$LOGS/build.log" "could not build head-opt" \
  "see the end of the log" build
say "build: $((SECONDS - start)) s"

light="$("$PYTHON" -c 'import importlib.util, os
print(os.path.dirname(importlib.util.find_spec("onnx").origin))')"
light+=/backend/test/data/light
names=(light_vgg19 light_bvlc_alexnet light_zfnet512)
for name in "${names[@]}"; do
  try "$name" "$light/$name.onnx"
done

if [[ ! -f "$DEMO/vgg16.onnx" ]]; then
  printf '\n'
  say "making a VGG16 whose first dense layer does not look at positions"
  "$PYTHON" "$ROOT/utils/make_vgg16.py" "$DEMO/vgg16.onnx"
fi
try vgg16 "$DEMO/vgg16.onnx"

printf '\n=== Summary\n'
"$PYTHON" "$ROOT/utils/lib/demo_summary.py" "$DEMO" "${names[@]}" vgg16
printf '\n'
say "all outputs agree; the models and reports are in $(rel "$DEMO")"

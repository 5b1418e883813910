#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Calls compiled heads under valgrind's memcheck: features and output in blocks of
# exactly their size from malloc, so that a byte read or written beside them, a number
# used before it was computed or a leak is an error. Not part of check.sh; needs
# valgrind and cc:
#
#     apt-get install -y valgrind
#     utils/valgrind.sh                       # build/bin/head-opt
#     HEAD_OPT=path/to/head-opt utils/valgrind.sh
#
# x86-64-v2 and -v3 only: valgrind does not know AVX-512.

set -euo pipefail
cd "$(dirname "$0")/.."
tool=${HEAD_OPT:-build/bin/head-opt}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

command -v valgrind > /dev/null || { echo "valgrind.sh: no valgrind" >&2; exit 1; }

# NAME ELEMENT FEATURES OUTPUT, and the model behind them.
heads=(
  "pool float 5x7x7 5"      # odd on purpose: each loop has a tail
  "dense float 19x3x3 13"
  "last float 6x6x21 21"
  "double double 9x5x5 7"
  "half uint16_t 11x7x7 6"
  "brain uint16_t 11x7x7 6" # bf16, whose weights are stored in pairs
  "long uint16_t 19x13x13 19" # rows by a loop, many at a time
  "wide uint16_t 5x3x301 301" # bf16 in accumulators in memory
)

.deps/venv/bin/python - "$folder" << 'EOF'
import sys
sys.path[:0] = ["test/Integration", "test/Integration/Lowering"]
import onnx
from headopt import BF16, F16, F64
from lowering import Head, nhwc
for name, head in {
    "pool": Head((5, 7, 7)),
    "dense": Head((19, 3, 3), layers=(17, 13), softmax=True),
    "last": nhwc(21, 6, 6),
    "double": Head((9, 5, 5), type=F64, layers=(7,)),
    "half": Head((11, 7, 7), type=F16, layers=(6,)),
    "brain": Head((11, 7, 7), type=BF16, layers=(6,)),
    "long": Head((19, 13, 13), type=F16),
    "wide": nhwc(301, 5, 3, type=BF16),
}.items():
    onnx.save(head.model(), f"{sys.argv[1]}/{name}.onnx")
EOF

cat > "$folder/driver.c" << 'EOF'
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "head.h"

int main(void) {
  static const int64_t batches[] = {0, 1, 2, 3, 7, 8, 9, 17, 33};
  uint32_t state = 1;
  double sum = 0;
  for (size_t i = 0; i != sizeof(batches) / sizeof(*batches); ++i) {
    int64_t batch = batches[i];
    size_t in = (size_t)batch * FEATURES, out = (size_t)batch * OUTPUT;
    ELEMENT *features = malloc(in * sizeof(ELEMENT));
    ELEMENT *output = malloc(out * sizeof(ELEMENT) - (out ? MISSING : 0));
    for (size_t k = 0; k != in; ++k) {
      state = state * 1664525u + 1013904223u;
      /* Small integers; as bits of a half: numbers from 1 to 2. */
      features[k] = sizeof(ELEMENT) == 2 ? 0x3c00 + (int)(state >> 22)
                                         : (int)(state >> 28) - 8;
    }
    if (head(features, batch, output) != 0)
      return 2;
    /* A branch on each number: memcheck reports one that is undefined. */
    for (size_t k = 0; k != out; ++k)
      if (output[k] > 0)
        sum += 1;
    free(features);
    free(output);
  }
  if (head(0, -1, 0) != 1)
    return 3;
  printf("%g positive; ", sum);
  return 0;
}
EOF

# run NAME ELEMENT FEATURES OUTPUT CPU MISSING: valgrind's exit code for one head whose
# output is so many bytes too short.
run() {
  "$tool" "$folder/$1.onnx" -o "$folder/head.o" --name=head "--mcpu=$5" --quiet
  cc -g -I"$folder" "-DELEMENT=$2" "-DFEATURES=(${3//x/*})" "-DOUTPUT=$4" \
    "-DMISSING=$6" "$folder/driver.c" "$folder/head.o" -o "$folder/driver" -lm
  valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=all \
    --errors-for-leak-kinds=all "$folder/driver"
}

failed=0
for row in "${heads[@]}"; do
  read -r name element features output <<< "$row"
  for cpu in x86-64-v2 x86-64-v3; do
    echo -n "$name $features, $cpu: "
    if run "$name" "$element" "$features" "$output" "$cpu" 0; then
      echo "no errors"
    else
      echo "FAILED ($?)"
      failed=1
    fi
  done
done
# That valgrind sees what it is here for: an output one byte short is an error.
status=0
run pool float 5x7x7 5 x86-64-v3 1 > "$folder/log" 2>&1 || status=$?
if [[ $status != 9 ]] || ! grep -q 'Invalid write' "$folder/log"; then
  echo "valgrind.sh: an output that is too short goes unseen" >&2
  failed=1
fi
exit $failed

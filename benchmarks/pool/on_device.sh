#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Measures prepared pools on a borrowed GPU, where only Python with PyTorch is
# (no head-opt, no toolkit). Here, first:
#
#     benchmarks/pool/device.py --prepare build/device-pool --chip sm_90
#
# and there, with build/device-pool (1 MiB) taken along:
#
#     benchmarks/pool/on_device.sh build/device-pool RESULTS [SECONDS] [OPTION...]
#
# RESULTS is a folder that gets pool.md, pool.json and the log. First comes a
# quick run without peers, which ends it all if head-opt is wrong. No case is
# begun after SECONDS (400 when not given), so that a machine that is lent for
# ten minutes is enough.

set -euo pipefail

if [[ $# -lt 2 ]]; then
  echo "on_device.sh: error: give a prepared folder, a folder for results," \
    "and maybe seconds and options" >&2
  exit 1
fi
folder=$1 results=$2 limit=${3:-400}
device=$(dirname "${BASH_SOURCE[0]}")/device.py
mkdir -p "$results"
export PYTHONUNBUFFERED=1

nvidia-smi || true
python3 "$device" --measure "$folder" --quick --no-peers --repeats 1 \
  --json "$results/quick.json" 2>&1 | tee "$results/quick.md"
python3 "$device" --measure "$folder" --limit "$limit" \
  --json "$results/pool.json" "${@:4}" \
  2> >(tee "$results/pool.log" >&2) | tee "$results/pool.md"

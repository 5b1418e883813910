# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# shellcheck shell=bash disable=SC2034  # variables are for the sourcing script
#
# What setup.sh, check.sh and demo.sh share: where things are, one-line errors,
# steps with a log, and how head-opt is configured and built. Sourced, not run;
# the script that sources it sets SCRIPT_NAME, which starts each message.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
DEPS="$ROOT/.deps"
LOGS="$DEPS/logs"
VENV="$DEPS/venv"
ONNX_PREFIX="$DEPS/onnx"
BUILD="$ROOT/build"

# A cache inside .deps is kept or deleted together with what it belongs to.
export CCACHE_DIR="${CCACHE_DIR:-$DEPS/ccache}"

say() { printf '%s: %s\n' "$SCRIPT_NAME" "$*"; }

die() {
  printf '%s: error: %s\n' "$SCRIPT_NAME" "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Path as the reader would type it from the repository root.
rel() { printf '%s' "${1#"$ROOT"/}"; }

# logged LOG "what failed" "what to do" COMMAND... runs COMMAND quietly; when it
# fails the reader gets one line with all three, and the log has the rest.
logged() {
  local log="$1" what="$2" todo="$3"
  shift 3
  mkdir -p "$(dirname "$log")"
  printf '+ %s\n' "$*" >>"$log"
  if ! "$@" >>"$log" 2>&1 </dev/null; then
    die "$what (log: $(rel "$log")); $todo"
  fi
}

# Without ccache the builds work all the same, only slower the second time.
launcher_flags() {
  if have ccache; then
    printf '%s\n' -DCMAKE_C_COMPILER_LAUNCHER=ccache \
      -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
}

# Debian's CMake by its path: the environment in .deps/venv and many a PATH have
# another one, and a build tree does not like to change hands.
CMAKE=/usr/bin/cmake
CTEST=/usr/bin/ctest

configure() {
  local launcher
  mapfile -t launcher < <(launcher_flags)
  "$CMAKE" -G Ninja -S "$ROOT" -B "$BUILD" \
    -DCMAKE_BUILD_TYPE=Release \
    -DLLVM_USE_LINKER=lld \
    -DCMAKE_PREFIX_PATH="$ONNX_PREFIX" \
    -DPython3_EXECUTABLE="$VENV/bin/python" \
    "${launcher[@]}"
}

build() { "$CMAKE" --build "$BUILD"; }

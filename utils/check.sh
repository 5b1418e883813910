#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Everything a change must pass: set-up, configure, build, formatting, and all
# tests (ctest runs lit, GoogleTest and pytest). Says how long each step took;
# the last lines are ctest's own. Takes no arguments.

set -euo pipefail

SCRIPT_NAME=check
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

(($# == 0)) || die "takes no arguments (see the top of utils/check.sh)"
cd "$ROOT"

# step NAME "what to do when it fails" COMMAND...
step() {
  local name="$1" todo="$2" start
  shift 2
  start="$(date +%s%N)"
  "$@" || die "$name failed (see above); $todo"
  local ms=$((($(date +%s%N) - start) / 1000000))
  say "$name: $((ms / 1000)).$(printf '%03d' $((ms % 1000)) | cut -c1) s"
}

# The C and C++ files that belong to the project: those git tracks, or, where
# there is no git (an unpacked archive), all but what was built.
cxx_files() {
  if git -C "$ROOT" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git -C "$ROOT" ls-files -z -- '*.h' '*.c' '*.cpp'
  else
    find . -name '.?*' -prune -o -name 'build*' -prune -o \
      -type f \( -name '*.h' -o -name '*.c' -o -name '*.cpp' \) -print0
  fi
}

check_format() {
  local file files=()
  # A tracked file that was just deleted has no format.
  while IFS= read -r -d '' file; do
    if [[ -f "$file" ]]; then files+=("$file"); fi
  done < <(cxx_files)
  ((${#files[@]} > 0)) || return 0
  printf '%s\0' "${files[@]}" |
    xargs -0 -n 8 -P 2 clang-format-22 --dry-run -Werror
}

step setup "its own message says what to do" "$ROOT/utils/setup.sh"
step configure "delete build/ and run this again" configure
step build "fix the first error" build
step format "run: clang-format-22 -i FILE" check_format
"$CTEST" --test-dir "$BUILD" --output-on-failure -j2

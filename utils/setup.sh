#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Brings a Debian 12 machine to where head-opt can be configured and built:
#
#   1. Debian packages (MLIR 22.1, a compiler, Protobuf, ...), those missing;
#   2. a Python environment in .deps/venv, from utils/requirements.txt and
#      utils/requirements-iree.txt;
#   3. the ONNX C++ library in .deps/onnx, from utils/onnx-source.txt.
#
# May be run again at any time: what is up to date is left alone, and what an
# interrupted run left half done is thrown away. Takes no arguments.

set -euo pipefail

SCRIPT_NAME=setup
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

PACKAGES=(
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  libgtest-dev lld ninja-build g++ cmake
  python3 python3-venv
  libprotobuf-dev protobuf-compiler
  ccache clang-format-22 clang-tidy-22
  ca-certificates git
  # Tests run compiled heads on emulated processors.
  qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross libomp5
  # And kernels on Vulkan, by Mesa's driver for CPUs.
  libvulkan1 mesa-vulkan-drivers spirv-tools
  libbenchmark-dev
)

REQUIREMENTS="$ROOT/utils/requirements.txt"
# A compiler that tests hold ours against.
REQUIREMENTS_IREE="$ROOT/utils/requirements-iree.txt"
ONNX_SOURCE="$ROOT/utils/onnx-source.txt"

# Shared Protobuf, because libHeadOpt.so and a Python process that loads it must
# not each carry their own; a namespace of our own, because a shared Protobuf takes
# each message once, and another library may bring onnx.ModelProto; position
# independent, because the static ONNX libraries go into libHeadOpt.so.
ONNX_OPTIONS=(
  -DCMAKE_BUILD_TYPE=Release
  -DONNX_NAMESPACE=headopt_onnx
  -DONNX_USE_PROTOBUF_SHARED_LIBS=ON
  -DCMAKE_POSITION_INDEPENDENT_CODE=ON
)

did_something=no

# --- Stamps: a step is done when its stamp holds the hash of its inputs --------

hash_of() { sha256sum | cut -d' ' -f1; }

stamp_matches() { [[ -f "$1" && "$(<"$1")" == "$2" ]]; }

# --- Step 1: Debian packages ---------------------------------------------------

package_version() {
  { dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null || true; } |
    sed -n 's/^installed //p'
}

install_packages() {
  have dpkg-query || die "this is no Debian system (dpkg-query is missing);" \
    "see utils/setup.sh for the packages to install by hand"

  local installed missing=() package
  # dpkg-query fails when it does not know one of them, and lists the others.
  installed=" $({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
    "${PACKAGES[@]}" 2>/dev/null || true; } | sed -n 's/^installed //p' |
    tr '\n' ' ') "
  for package in "${PACKAGES[@]}"; do
    [[ "$installed" == *" $package "* ]] || missing+=("$package")
  done

  if ((${#missing[@]} > 0)); then
    local as_root=()
    if ((EUID != 0)); then
      have sudo || die "packages are missing and this is neither root nor is" \
        "sudo there; as root run: apt-get install --no-install-recommends" \
        "${missing[*]}"
      # Nobody answers a password prompt where there is no terminal.
      if [[ -t 0 ]]; then
        if sudo -v; then as_root=(sudo); fi
      elif sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
      fi
      ((${#as_root[@]} > 0)) || die "packages are missing and sudo refused;" \
        "as root run: apt-get install --no-install-recommends ${missing[*]}"
    fi
    local log="$LOGS/packages.log" start=$SECONDS
    rm -f "$log"
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    logged "$log" "apt-get update failed" \
      "check the network and /etc/apt/sources.list, then run this again" \
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -o DPkg::Lock::Timeout=300 update -q
    logged "$log" "apt-get could not install: ${missing[*]}" \
      "MLIR 22 comes from Debian 12's security archive: is it in the sources?" \
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends \
      "${missing[@]}"
    say "Debian packages: $((SECONDS - start)) s"
    did_something=yes
  fi

  # MLIR's C++ interfaces change between releases. Say so here, in one line,
  # rather than with pages of compiler messages later.
  local version
  version="$(package_version libmlir-22-dev)"
  case "${version#*:}" in
  22.1.*) ;;
  *) die "libmlir-22-dev is ${version:-not installed}, head-opt needs 22.1.*;" \
    "run: apt-get install libmlir-22-dev=1:22.1.*" ;;
  esac
}

# --- Step 2: .deps/venv --------------------------------------------------------

# Debian's own interpreter first: one from elsewhere on PATH (pyenv, conda) may
# be gone tomorrow, and the environment with it.
find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import ensurepip, sys, venv
sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$python"
      return
    fi
  done
  return 1
}

make_venv() {
  local python inputs stamp="$VENV/.stamp"
  # An environment knows its own path, so it does not survive a move of the
  # repository: the path is among the inputs.
  inputs="$({ cat "$REQUIREMENTS" "$REQUIREMENTS_IREE"; echo "$VENV"; } | hash_of)"
  if stamp_matches "$stamp" "$inputs" && [[ -x "$VENV/bin/python" ]]; then
    return
  fi
  python="$(find_python)" ||
    die "no Python >= 3.11 with the venv module; run: apt-get install python3-venv"
  local log="$LOGS/venv.log" start=$SECONDS
  say "making .deps/venv from utils/requirements.txt and requirements-iree.txt"
  # The stamp lies in the environment and is written last, so that a half-made
  # one has none, and the next run starts over.
  rm -rf "$VENV" "$log"
  logged "$log" "could not make a Python environment with $python" \
    "run: apt-get install python3-venv" "$python" -m venv "$VENV"
  logged "$log" "pip could not install what utils/requirements*.txt ask for" \
    "check the network or pip's proxy settings, then run this again" \
    "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r "$REQUIREMENTS" -r "$REQUIREMENTS_IREE"
  echo "$inputs" >"$stamp"
  say ".deps/venv: $((SECONDS - start)) s"
  did_something=yes
}

# --- Step 3: .deps/onnx --------------------------------------------------------

make_onnx() {
  local inputs version
  version="$(sed -n 's/^onnx==\([^ ]*\).*/\1/p' "$ONNX_SOURCE")"
  grep -q "^onnx==$version " "$REQUIREMENTS" ||
    die "utils/onnx-source.txt has onnx $version, utils/requirements.txt has" \
      "another version; give both the same"
  # The archives hold generated Protobuf code and C++ objects: another Protobuf
  # or another compiler asks for another build.
  inputs="$({
    cat "$ONNX_SOURCE"
    echo "${ONNX_OPTIONS[@]}"
    package_version libprotobuf-dev
    c++ -dumpfullversion -dumpmachine 2>/dev/null || true
  } | hash_of)"
  if stamp_matches "$ONNX_PREFIX/.stamp" "$inputs"; then
    return
  fi

  # Everything happens beside the final place, on the same file system. The new
  # prefix, stamp included, gets its name by one rename at the end.
  local work="$DEPS/onnx.work" old="$DEPS/onnx.old"
  local log="$LOGS/onnx.log" start=$SECONDS
  rm -rf "$work" "$old" "$log"
  mkdir -p "$work/src"

  # pip also fetches the package's own build system to read its metadata. What
  # it fetches is used for nothing else and thrown away.
  say "downloading the ONNX $version source package"
  logged "$log" "pip could not download the source of onnx $version" \
    "check the network or pip's proxy settings, then run this again" \
    "$VENV/bin/python" -m pip download --disable-pip-version-check --no-input \
    --no-deps --no-binary onnx --require-hashes -r "$ONNX_SOURCE" -d "$work"
  logged "$log" "could not unpack the source of onnx $version" \
    "is the disk full?" \
    tar -xf "$work/onnx-$version.tar.gz" -C "$work/src" --strip-components=1

  say "building the ONNX C++ library (1 to 5 minutes; log: $(rel "$log"))"
  local launcher
  mapfile -t launcher < <(launcher_flags)
  # The prefix map keeps this machine's paths out of the archives.
  logged "$log" "could not configure the ONNX C++ library" \
    "see the end of the log" \
    "$VENV/bin/cmake" -G Ninja -S "$work/src" -B "$work/build" \
    "${ONNX_OPTIONS[@]}" "${launcher[@]}" \
    -DCMAKE_INSTALL_PREFIX="$work/prefix" \
    -DCMAKE_CXX_FLAGS="-ffile-prefix-map=$work=onnx" \
    -DPython3_EXECUTABLE="$VENV/bin/python" \
    -DPython_EXECUTABLE="$VENV/bin/python"
  logged "$log" "could not build the ONNX C++ library" \
    "see the end of the log (it wants about 1 GB of memory per core)" \
    "$VENV/bin/cmake" --build "$work/build" --target install

  # The prefix is about to move, so nothing in it may name its old place.
  local fixed
  fixed="$(grep -rIl -F "$work" "$work/prefix" | head -n 1 || true)"
  [[ -z "$fixed" ]] ||
    die "${fixed#"$work/prefix/"} of the ONNX install names its own folder, so" \
      "it cannot be moved (log: $(rel "$log")); this needs a fix in utils/setup.sh"

  echo "$inputs" >"$work/prefix/.stamp"
  if [[ -e "$ONNX_PREFIX" ]]; then mv "$ONNX_PREFIX" "$old"; fi
  mv "$work/prefix" "$ONNX_PREFIX"
  rm -rf "$work" "$old"
  say ".deps/onnx: $((SECONDS - start)) s"
  did_something=yes
}

# --- Main ----------------------------------------------------------------------

(($# == 0)) || die "takes no arguments (see the top of utils/setup.sh)"
trap 'die "interrupted; run it again, it starts over what was not finished"' INT TERM

mkdir -p "$DEPS" 2>/dev/null || true
[[ -d "$DEPS" && -w "$DEPS" ]] ||
  die "cannot write to .deps (was this run as root before?); give it to" \
    "yourself: chown -R \$USER .deps"
install_packages
# Two runs at once would delete each other's work.
exec 9>"$DEPS/.lock"
flock -n 9 || {
  say "waiting for another utils/setup.sh"
  flock 9
}
make_venv
make_onnx

if [[ $did_something == yes ]]; then
  say "done: Debian packages, .deps/venv, .deps/onnx"
else
  say "nothing to do: Debian packages, .deps/venv and .deps/onnx are up to date"
fi

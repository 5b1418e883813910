# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes the bytes of object files as C++ for lib/Target/GPU/Runtime.cpp:
#
#   cmake -DKINDS=CUDA;ROCm -DOBJECTS=a.o;b.o -DOUTPUT=Runtimes.inc -P THIS
set(arrays)
set(entries)
foreach(kind object IN ZIP_LISTS KINDS OBJECTS)
  file(READ "${object}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays
    "alignas(16) static const unsigned char k${kind}Runtime[] = {${bytes}};\n")
  string(APPEND entries
    "    {DeviceKind::${kind}, k${kind}Runtime, sizeof(k${kind}Runtime)},\n")
endforeach()
file(WRITE "${OUTPUT}"
  "${arrays}static const RuntimeBytes kRuntimes[] = {\n${entries}};\n")

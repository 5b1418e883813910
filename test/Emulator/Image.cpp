//===- Image.cpp - What a device binary says of itself --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"
#include <algorithm>
#include <cstring>
#include <elf.h>

using namespace headopt::emulator;

uint64_t Image::hash(const void *data, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto *byte = static_cast<const unsigned char *>(data);
  for (size_t i = 0; i < bytes; ++i)
    hash = (hash ^ byte[i]) * 0x100000001b3;
  return hash;
}

/// The names behind `.entry`. A directive for the version comes first in all
/// PTX.
static void parsePTX(const char *text, Image &image) {
  image.bytes = strlen(text);
  std::string ptx(text, image.bytes);
  if (ptx.find(".version") == std::string::npos ||
      ptx.find(".target") == std::string::npos)
    return;
  image.format = Image::Format::PTX;
  const std::string keyword = ".entry ";
  for (size_t at = ptx.find(keyword); at != std::string::npos;
       at = ptx.find(keyword, at)) {
    at += keyword.size();
    size_t end = ptx.find_first_of(" (\t\n", at);
    if (end == std::string::npos)
      return;
    image.kernels.insert(ptx.substr(at, end - at));
  }
}

static void parseELF(const char *data, Image &image) {
  Elf64_Ehdr header;
  memcpy(&header, data, sizeof(header));
  constexpr unsigned machineAMDGPU = 224, machineCUDA = 190;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_shentsize != sizeof(Elf64_Shdr))
    return;
  if (header.e_machine == machineAMDGPU)
    image.format = Image::Format::AMDGPU;
  else if (header.e_machine == machineCUDA)
    image.format = Image::Format::CUDA;
  else
    return;
  image.bytes = std::max<size_t>(
      header.e_shoff + size_t(header.e_shnum) * header.e_shentsize,
      header.e_phoff + size_t(header.e_phnum) * header.e_phentsize);
  auto getSection = [&](size_t index) {
    Elf64_Shdr section;
    memcpy(&section, data + header.e_shoff + index * sizeof(section),
           sizeof(section));
    return section;
  };
  for (size_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section = getSection(i);
    if (section.sh_type != SHT_NOBITS)
      image.bytes =
          std::max<size_t>(image.bytes, section.sh_offset + section.sh_size);
    if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM)
      continue;
    Elf64_Shdr strings = getSection(section.sh_link);
    for (size_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      memcpy(&symbol, data + section.sh_offset + at, sizeof(symbol));
      std::string name = data + strings.sh_offset + symbol.st_name;
      // AMDGPU has a descriptor for each kernel; CUDA marks kernels in the
      // symbol's other bits, and device functions are inlined.
      const std::string suffix = ".kd";
      if (image.format == Image::Format::CUDA) {
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC)
          image.kernels.insert(name);
      } else if (name.size() > suffix.size() &&
                 name.compare(name.size() - suffix.size(), suffix.size(),
                              suffix) == 0) {
        image.kernels.insert(name.substr(0, name.size() - suffix.size()));
      }
    }
  }
}

Image Image::parse(const void *data) {
  Image image;
  const char *bytes = static_cast<const char *>(data);
  if (strncmp(bytes, ELFMAG, SELFMAG) == 0)
    parseELF(bytes, image);
  else
    parsePTX(bytes, image);
  return image;
}

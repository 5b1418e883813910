# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Wrappers that give every library of the project the same shape.

# add_headopt_library(name sources... [DEPENDS targets...] [LINK_LIBS targets...])
#
# An object library for one folder of lib/. Its objects end up in libHeadOpt.so
# (lib/Plugin); LINK_LIBS names the project's own libraries that this folder may
# use, which is how the dependency rule of docs/Architecture.md is kept.
function(add_headopt_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK_LIBS" ${ARGN})
  add_library(${name} OBJECT ${ARG_UNPARSED_ARGUMENTS})
  llvm_update_compile_flags(${name})
  set_target_properties(${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET default)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  foreach(lib ${ARG_LINK_LIBS})
    target_link_libraries(${name} PUBLIC ${lib})
    add_dependencies(${name} ${lib})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY HEADOPT_LIBRARIES ${name})
endfunction()


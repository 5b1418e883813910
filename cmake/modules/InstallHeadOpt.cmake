# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# What `cmake --install` copies: the library, its headers, its CMake package, and
# the tools. The ONNX library is inside libHeadOpt.so, and none of its headers is
# among those of the project.
include(CMakePackageConfigHelpers)

install(TARGETS HeadOpt EXPORT HeadOptTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(tools head-opt head-opt-lsp-server head-opt-reduce)
install(TARGETS ${tools} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# Debian has libMLIR in LLVM's folder, where the loader does not look by itself.
set_target_properties(HeadOpt PROPERTIES
  INSTALL_RPATH "${LLVM_LIBRARY_DIR}")
file(RELATIVE_PATH to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
set_target_properties(${tools} PROPERTIES
  INSTALL_RPATH "$ORIGIN/${to_lib};${LLVM_LIBRARY_DIR}"
  # No folders of the build tree that the linker was told of.
  INSTALL_RPATH_USE_LINK_PATH OFF
  BUILD_WITH_INSTALL_RPATH OFF)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/headopt
                  ${PROJECT_SOURCE_DIR}/include/headopt-c
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td")
install(DIRECTORY ${PROJECT_BINARY_DIR}/include/headopt
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h.inc" PATTERN "CMakeFiles" EXCLUDE)

set(HEADOPT_MLIR_VERSION "${LLVM_VERSION_MAJOR}.${LLVM_VERSION_MINOR}")
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/HeadOpt)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/HeadOptConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/HeadOptConfig.cmake
  INSTALL_DESTINATION ${package_dir})
# Before 1.0 a new minor version may change anything.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/cmake/HeadOptConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/HeadOptConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/HeadOptConfigVersion.cmake
  DESTINATION ${package_dir})
install(EXPORT HeadOptTargets NAMESPACE HeadOpt:: DESTINATION ${package_dir})

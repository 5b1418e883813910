# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lit configuration: FileCheck tests on head-opt and on stock mlir-opt with the plugin."""

import os

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "head-opt"
config.test_format = lit.formats.ShTest(not llvm_config.use_lit_shell)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["Inputs", "Integration", "Unit", "tools"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.headopt_obj_root, "test")
config.substitutions.append(("%plugin", config.headopt_plugin))
config.substitutions.append(("%llvm_lib", config.llvm_lib_dir))
# Tools by their paths, for tests that change PATH.
config.substitutions.append(
    ("%headopt", os.path.join(config.headopt_tools_dir, "head-opt"))
)
config.substitutions.append(
    ("%device", os.path.join(config.headopt_tools_dir, "headopt-compile-device"))
)
llvm_config.use_default_substitutions()
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
mlir_opt = ToolSubst("mlir-opt")
if config.headopt_asan_runtime:
    mlir_opt = ToolSubst(
        "mlir-opt",
        command="env LD_PRELOAD=%s %s/mlir-opt"
        % (config.headopt_asan_runtime, config.llvm_tools_dir),
    )
llvm_config.add_tool_substitutions(
    [
        ToolSubst("head-opt-lsp-server", unresolved="fatal"),
        ToolSubst("head-opt-reduce", unresolved="fatal"),
        ToolSubst("head-opt", unresolved="fatal"),
        ToolSubst("headopt-compile-device", unresolved="fatal"),
        mlir_opt,
        "split-file",
    ],
    [config.headopt_tools_dir, config.llvm_tools_dir],
)

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=32}))' | FileCheck %s --implicit-check-not=gpu.subgroup_reduce --implicit-check-not=amdgpu
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=64}))' | FileCheck %s --check-prefix=WIDE --implicit-check-not=gpu.subgroup_reduce --implicit-check-not=amdgpu
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=64 chip=gfx90a}))' | FileCheck %s --check-prefix=GFX9 --implicit-check-not=gpu.subgroup_reduce
// RUN: head-opt %s --pass-pipeline='builtin.module(gpu.module(lower-subgroup-reduce{subgroup-size=32 chip=gfx1100}))' | FileCheck %s --check-prefix=GFX11 --implicit-check-not=gpu.subgroup_reduce

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @all(
  // CHECK-SAME:    %[[X:[a-z0-9]*]]: f32
  // CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : i32
  // CHECK-DAG:     %[[S:.*]] = arith.constant 32 : i32
  // CHECK:         %[[Y:.*]], %{{.*}} = gpu.shuffle xor %[[X]], %[[C1]], %[[S]] : f32
  // CHECK:         arith.addf %[[X]], %[[Y]] : f32
  // CHECK-COUNT-4: gpu.shuffle xor {{.*}} : f32
  // CHECK-NOT:     gpu.shuffle
  // CHECK:         gpu.return
  // WIDE-LABEL:    gpu.func @all(
  // WIDE-DAG:      arith.constant 64 : i32
  // WIDE-COUNT-6:  gpu.shuffle xor {{.*}} : f32
  // WIDE-NOT:      gpu.shuffle
  // WIDE:          gpu.return
  // GFX9-LABEL:    gpu.func @all(
  // GFX9:          amdgpu.dpp {{.*}} quad_perm([1 : i32, 0 : i32, 3 : i32, 2 : i32])
  // GFX9:          amdgpu.dpp {{.*}} quad_perm([2 : i32, 3 : i32, 0 : i32, 1 : i32])
  // GFX9:          amdgpu.dpp {{.*}} row_half_mirror
  // GFX9:          amdgpu.dpp {{.*}} row_mirror
  // GFX9:          amdgpu.dpp {{.*}} row_bcast_15(unit) {row_mask = 10 : i32}
  // GFX9:          amdgpu.dpp {{.*}} row_bcast_31
  // GFX9:          rocdl.readlane
  // GFX11-LABEL:   gpu.func @all(
  // GFX11:         amdgpu.dpp {{.*}} row_mirror
  // GFX11-NOT:     row_bcast
  // GFX11:         rocdl.permlanex16
  gpu.func @all(%x: f32) -> f32 {
    %s = gpu.subgroup_reduce add %x : (f32) -> f32
    gpu.return %s : f32
  }

  // CHECK-LABEL:   gpu.func @cluster(
  // CHECK-COUNT-3: gpu.shuffle xor {{.*}} : f32
  // CHECK-NOT:     gpu.shuffle
  // CHECK:         arith.maximumf
  // CHECK-NEXT:    gpu.return
  // GFX9-LABEL:    gpu.func @cluster(
  // GFX9:          amdgpu.dpp {{.*}} row_half_mirror
  // GFX9-NOT:      row_mirror
  // GFX9:          gpu.return
  gpu.func @cluster(%x: f32) -> f32 {
    %s = gpu.subgroup_reduce maximumf %x cluster(size = 8) : (f32) -> f32
    gpu.return %s : f32
  }

  // Rows 1 and 3 have the sums of both of a pair, so their last lanes give them
  // to all.
  // GFX9-LABEL: gpu.func @half_of_wide(
  // GFX9:       amdgpu.dpp {{.*}} row_bcast_15(unit) {row_mask = 10 : i32}
  // GFX9:       amdgpu.swizzle_bitmode {{.*}} 0 31 0
  gpu.func @half_of_wide(%x: f32) -> f32 {
    %s = gpu.subgroup_reduce add %x cluster(size = 32) : (f32) -> f32
    gpu.return %s : f32
  }

  // CHECK-LABEL:   gpu.func @doubles(
  // CHECK-COUNT-4: gpu.shuffle xor {{.*}} : i32
  // CHECK-NOT:     gpu.shuffle
  // CHECK:         gpu.return
  gpu.func @doubles(%x: f64) -> f64 {
    %s = gpu.subgroup_reduce add %x cluster(size = 4) : (f64) -> f64
    gpu.return %s : f64
  }

  // Two halves travel together, one alone is widened.
  // CHECK-LABEL:   gpu.func @halves(
  // CHECK-COUNT-5: gpu.shuffle xor {{.*}} : i32
  // CHECK-NOT:     gpu.shuffle
  // CHECK:         gpu.return
  gpu.func @halves(%x: vector<2xf16>) -> vector<2xf16> {
    %s = gpu.subgroup_reduce add %x : (vector<2xf16>) -> vector<2xf16>
    gpu.return %s : vector<2xf16>
  }
  // CHECK-LABEL:   gpu.func @half(
  // CHECK:         arith.extui {{.*}} : i16 to i32
  // CHECK-NEXT:    gpu.shuffle xor {{.*}} : i32
  gpu.func @half(%x: f16) -> f16 {
    %s = gpu.subgroup_reduce add %x cluster(size = 2) : (f16) -> f16
    gpu.return %s : f16
  }

  // CHECK-LABEL:    gpu.func @vector(
  // CHECK-COUNT-10: gpu.shuffle xor {{.*}} : i32
  // CHECK-NOT:      gpu.shuffle
  // CHECK:          gpu.return
  gpu.func @vector(%x: vector<2xf32>) -> vector<2xf32> {
    %s = gpu.subgroup_reduce add %x : (vector<2xf32>) -> vector<2xf32>
    gpu.return %s : vector<2xf32>
  }

  // A shuffle of 64 bits that is there already is split as well.
  // CHECK-LABEL:   gpu.func @shuffle(
  // CHECK-COUNT-2: gpu.shuffle xor {{.*}} : i32
  // CHECK-NOT:     gpu.shuffle
  // CHECK:         gpu.return
  gpu.func @shuffle(%x: f64, %offset: i32, %width: i32) -> f64 {
    %s, %valid = gpu.shuffle xor %x, %offset, %width : f64
    gpu.return %s : f64
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: head-opt %s --map-pooling-to-gpu | FileCheck %s
// RUN: head-opt %s --map-pooling-to-gpu=subgroup-size=64 | FileCheck %s --check-prefix=WAVE64
// RUN: head-opt %s --map-pooling-to-gpu=block-threads=1024 | FileCheck %s --check-prefix=THREADS
// RUN: head-opt %s --map-head-to-gpu | FileCheck %s --check-prefix=KERNELS
//
// Which threads read what; test/Integration/GPU runs the kernels.

// Rows of 49 do not start at multiples of 16 bytes, but four of them together do. 196
// bytes are about four times 48, so that four lanes share one, and a block of 128
// threads has 32 of the 64 rows: 6272 bytes, 392 times 16, which are more than three
// for each thread. All are read before any is written; the numbers are read only when
// all are written.
// CHECK-LABEL: func.func @short_rows(
// CHECK-SAME:    %[[X:.*]]: tensor<4x16x7x7xf32>)
// CHECK:         %[[FLAT:.*]] = tensor.collapse_shape %[[X]]
// CHECK:         %[[FROM:.*]] = bufferization.to_buffer %[[FLAT]] read_only : tensor<3136xf32> to memref<3136xf32>
// CHECK:         %[[TO:.*]] = memref.alloc() {alignment = 16 : i64} : memref<64xf32>
// CHECK:         memref.extract_aligned_pointer_as_index
// CHECK:         scf.if
// CHECK:           %[[WIDE:.*]] = builtin.unrealized_conversion_cast %[[FROM]] : memref<3136xf32> to memref<784xvector<4xf32>>
// CHECK:           gpu.launch blocks({{.*}}) in ({{.*}} = %c2{{[_0-9]*}}, {{.*}}) threads({{.*}}) in ({{.*}} = %c128{{[_0-9]*}}, {{.*}}) module(@short_rows_kernels) function(@short_rows_pool_rows_0) workgroup(%[[TILE:.*]] : memref<1568xf32, #gpu.address_space<workgroup>>)
// CHECK-NOT:         scf.if
// CHECK-COUNT-3:     memref.load %[[WIDE]]
// Who has no fourth one reads the last one.
// CHECK:             %[[LAST:.*]] = arith.minui %{{.*}}, %c391
// CHECK:             memref.load %[[WIDE]]
// CHECK-COUNT-12:    memref.store %{{.*}}, %[[TILE]]
// CHECK:             arith.cmpi ult, %{{.*}}, %c392
// CHECK:             scf.if
// CHECK-COUNT-4:       memref.store %{{.*}}, %[[TILE]]
// CHECK-NOT:         memref.{{load|store}}
// CHECK:             gpu.barrier
// Three times four, and the last of them for one lane.
// CHECK:             scf.for %{{.*}} = %c0{{[_0-9]*}} to %c48{{[_0-9]*}} step %c16{{[_0-9]*}}
// CHECK-COUNT-4:       memref.load %[[TILE]]
// CHECK:             scf.if
// CHECK:               memref.load %[[TILE]]
// CHECK-NOT:         memref.load
// CHECK:             gpu.subgroup_reduce add %{{.*}} cluster(size = 4)
// CHECK-NOT:         gpu.barrier
// CHECK:             scf.if
// CHECK:               arith.divf
// CHECK:               memref.store %{{.*}}, %[[TO]]
// CHECK:             gpu.terminator
// CHECK:         } else {
// From other memory the same lanes read the same numbers in the same order.
// CHECK:           gpu.launch blocks({{.*}}) in ({{.*}} = %c2{{[_0-9]*}}, {{.*}}) threads({{.*}}) in ({{.*}} = %c128{{[_0-9]*}}, {{.*}}) module(@short_rows_kernels) function(@short_rows_pool_rows_1) {
// CHECK:             scf.for %{{.*}} = %c0{{[_0-9]*}} to %c48{{[_0-9]*}} step %c16{{[_0-9]*}}
// CHECK-COUNT-4:       memref.load %[[FROM]]
// CHECK:             memref.load %[[FROM]]
// CHECK-NOT:         memref.load
// CHECK:             gpu.subgroup_reduce add %{{.*}} cluster(size = 4)
// CHECK:             memref.store %{{.*}}, %[[TO]]
// CHECK:             gpu.terminator
// CHECK:         bufferization.to_tensor %[[TO]] restrict : memref<64xf32> to tensor<64xf32>
// CHECK-NOT:     linalg.generic
// CHECK:         return
// KERNELS:       gpu.func @short_rows_pool_rows_0(%{{.*}}: memref<784xvector<4xf32>>, %{{.*}}: memref<64xf32>) {{.*}}kernel attributes {known_block_size = array<i32: 128, 1, 1>
// KERNELS:       gpu.func @short_rows_pool_rows_1(%{{.*}}: memref<3136xf32>, %{{.*}}: memref<64xf32>) kernel attributes {known_block_size = array<i32: 128, 1, 1>
func.func @short_rows(%x: tensor<4x16x7x7xf32>) -> tensor<4x16xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x16xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<4x16xf32>) -> tensor<4x16xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
                       affine_map<(d0, d1, d2, d3) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x : tensor<4x16x7x7xf32>) outs(%start : tensor<4x16xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<4x16xf32>
  %area = arith.constant 49.0 : f32
  %end = tensor.empty() : tensor<4x16xf32>
  %mean = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<4x16xf32>) outs(%end : tensor<4x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.divf %a, %area : f32
    linalg.yield %q : f32
  } -> tensor<4x16xf32>
  return %mean : tensor<4x16xf32>
}

// How many rows there are is not known: the last tile may not be full. Its rows are read
// where they are, by the same lanes.
// CHECK-LABEL: func.func @last_tile(
// CHECK:         gpu.launch {{.*}} function(@last_tile_pool_rows_0)
// CHECK:           %[[END:.*]] = arith.addi %{{.*}}, %c31
// CHECK:           %[[FULL:.*]] = arith.cmpi ult, %[[END]], %[[ROWS:.*]] : index
// CHECK:           %[[SUM:.*]] = scf.if %[[FULL]] -> (f32) {
// CHECK:             memref.load %{{.*}} : memref<?xvector<4xf32>>
// CHECK:             gpu.barrier
// CHECK-NOT:         memref<?xf32>
// CHECK:             scf.yield
// CHECK:           } else {
// CHECK:             arith.subi %[[ROWS]], %c1
// CHECK:             memref.load %{{.*}} : memref<?xf32>
// CHECK-NOT:         gpu.barrier
// CHECK:             scf.yield
// CHECK:           gpu.subgroup_reduce add %[[SUM]] cluster(size = 4)
// CHECK:         } else {
// CHECK:           gpu.launch {{.*}} function(@last_tile_pool_rows_1) {
// CHECK-NOT:       memref.load {{.*}}vector<
// CHECK:         return
func.func @last_tile(%x: tensor<?x7x7xf32>) -> tensor<?xf32> {
  %init = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n0 = tensor.dim %x, %c0 : tensor<?x7x7xf32>
  %empty = tensor.empty(%n0) : tensor<?xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0)>],
      iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : tensor<?x7x7xf32>) outs(%start : tensor<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// Eight halves, two in each word of shared memory. Which of them a lane reads depends on
// where its row starts alone, since the lanes of a row are an even number: 98 bytes are
// two times 48. Eight rows are a multiple of 16 bytes; a block has 64.
// CHECK-LABEL: func.func @halves_of_words(
// CHECK:         gpu.launch {{.*}} = %c128{{.*}} function(@halves_of_words_pool_rows_0) workgroup(%[[TILE:.*]] : memref<1568xi32, #gpu.address_space<workgroup>>)
// CHECK:           memref.load %{{.*}} : memref<784xvector<4xi32>>
// CHECK:           vector.extract %{{.*}} : i32 from vector<4xi32>
// CHECK:           memref.store %{{.*}}, %[[TILE]]
// CHECK:           gpu.barrier
// CHECK:           %[[PLACE:.*]] = arith.divui %{{.*}}, %c2
// CHECK:           %[[WORD:.*]] = memref.load %[[TILE]]
// CHECK:           %[[WHICH:.*]] = arith.remui %{{.*}}, %c2
// CHECK:           %[[SHIFT:.*]] = arith.muli %[[WHICH]], %c16
// CHECK:           %[[BITS:.*]] = arith.index_cast %[[SHIFT]] : index to i32
// CHECK:           %[[MOVED:.*]] = arith.shrui %[[WORD]], %[[BITS]]
// CHECK:           %[[HALF:.*]] = arith.trunci %[[MOVED]] : i32 to i16
// CHECK:           %[[NUMBER:.*]] = arith.bitcast %[[HALF]] : i16 to f16
// CHECK:           arith.extf %[[NUMBER]] : f16 to f32
// CHECK:           gpu.subgroup_reduce add %{{.*}} cluster(size = 2)
func.func @halves_of_words(%x: tensor<128x49xf16>) -> tensor<128xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<128xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<128xf32>) -> tensor<128xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<128x49xf16>) outs(%start : tensor<128xf32>) {
  ^bb0(%a: f16, %s: f32):
    %w = arith.extf %a : f16 to f32
    %r = arith.addf %s, %w : f32
    linalg.yield %r : f32
  } -> tensor<128xf32>
  return %sum : tensor<128xf32>
}

// 32 lanes read a line of 128 bytes of a row at once, which nobody reads again.
// CHECK-LABEL: func.func @whole_lines(
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch {{.*}} function(@whole_lines_pool_rows_0) {
// CHECK:           gpu.subgroup_reduce add %{{[a-z0-9_]*}} : (f32) -> f32
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @whole_lines(%x: tensor<64x129xf32>) -> tensor<64xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<64xf32>) -> tensor<64xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<64x129xf32>) outs(%start : tensor<64xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<64xf32>
  return %sum : tensor<64xf32>
}

// 32 halves are half of one. 514 bytes are nearest to eight times 48.
// CHECK-LABEL: func.func @half_lines(
// CHECK:         gpu.launch {{.*}} function(@half_lines_pool_rows_0) workgroup(
// CHECK:           gpu.subgroup_reduce add %{{.*}} cluster(size = 8)
// 64 lanes read all of one.
// WAVE64-LABEL: func.func @half_lines(
// WAVE64:         gpu.launch {{.*}} function(@half_lines_pool_rows_0) {
// WAVE64-NOT:     gpu.launch
// WAVE64:         return
func.func @half_lines(%x: tensor<64x257xf16>) -> tensor<64xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<64xf32>) -> tensor<64xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<64x257xf16>) outs(%start : tensor<64xf32>) {
  ^bb0(%a: f16, %s: f32):
    %w = arith.extf %a : f16 to f32
    %r = arith.addf %s, %w : f32
    linalg.yield %r : f32
  } -> tensor<64xf32>
  return %sum : tensor<64xf32>
}

// Rows with others between them are not a tile.
// CHECK-LABEL: func.func @rows_apart(
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch {{.*}} function(@rows_apart_pool_rows_0) {
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @rows_apart(%x: tensor<4x5x6x7xf32>) -> tensor<4x6xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
                       affine_map<(d0, d1, d2, d3) -> (d0, d2)>],
      iterator_types = ["parallel", "reduction", "parallel", "reduction"]}
      ins(%x : tensor<4x5x6x7xf32>) outs(%start : tensor<4x6xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<4x6xf32>
  return %sum : tensor<4x6xf32>
}

// Nor are such of which nobody knows the length; these are never a multiple of four.
// CHECK-LABEL: func.func @rows_of_any_length(
// CHECK-NOT:     #gpu.address_space<workgroup>
// CHECK:         function(@rows_of_any_length_pool_rows_0) {
// CHECK:         gpu.launch
func.func @rows_of_any_length(%x: tensor<4x?xf32>) -> tensor<4xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x?xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// Rows of 64 do: 16 bytes at a time, if the caller's memory does as well.
// CHECK-LABEL: func.func @wide_rows(
// CHECK:         %[[WIDE:.*]] = builtin.unrealized_conversion_cast %{{.*}} : memref<384xf32> to memref<96xvector<4xf32>>
// CHECK:         %[[ADDRESS:.*]] = memref.extract_aligned_pointer_as_index
// CHECK:         %[[REST:.*]] = arith.remui %[[ADDRESS]], %c16
// CHECK:         %[[FITS:.*]] = arith.cmpi eq, %[[REST]], %c0
// CHECK:         scf.if %[[FITS]] {
// CHECK:           gpu.launch {{.*}} function(@wide_rows_pool_rows_0)
// CHECK:             memref.load %[[WIDE]]{{.*}} : memref<96xvector<4xf32>>
// CHECK-NOT:         memref<384xf32>
// CHECK:           gpu.terminator
// CHECK:         } else {
// CHECK:           gpu.launch {{.*}} function(@wide_rows_pool_rows_1)
// The same four numbers at a time, in the same order.
// CHECK-NOT:         vector<
// CHECK-COUNT-4:     memref.load {{.*}} : memref<384xf32>
func.func @wide_rows(%x: tensor<2x3x8x8xf32>) -> tensor<2x3xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
                       affine_map<(d0, d1, d2, d3) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x : tensor<2x3x8x8xf32>) outs(%start : tensor<2x3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2x3xf32>
  return %sum : tensor<2x3xf32>
}

// A block for each row: lanes by shuffles, sub-groups by shared memory. Eight accesses
// for each thread, of 275: two sub-groups, or one.
// CHECK-LABEL: func.func @one_block_a_row(
// CHECK:         gpu.launch {{.*}} threads({{.*}}) in ({{.*}} = %c64{{.*}}) {{.*}}function(@one_block_a_row_pool_blocks_0) workgroup(%[[SHARED:.*]] : memref<2xf32, #gpu.address_space<workgroup>>)
// CHECK:           %[[SUM:.*]] = gpu.subgroup_reduce add %{{[0-9a-z_]*}} : (f32) -> f32
// CHECK:           memref.store %[[SUM]], %[[SHARED]]
// CHECK:           gpu.barrier
// CHECK:           memref.load %[[SHARED]]
// WAVE64-LABEL: func.func @one_block_a_row(
// WAVE64:         workgroup(%{{.*}} : memref<1xf32, #gpu.address_space<workgroup>>)
func.func @one_block_a_row(%x: tensor<2x1100xf32>) -> tensor<2xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x1100xf32>) outs(%start : tensor<2xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// The longest one: as many threads as there may be.
// CHECK-LABEL: func.func @longest_block(
// CHECK:         gpu.launch {{.*}} threads({{.*}}) in ({{.*}} = %c256{{.*}}) {{.*}}function(@longest_block_pool_blocks_0)
// CHECK-NOT:     pool_rows
// CHECK:         return
// THREADS-LABEL: func.func @longest_block(
// THREADS:       gpu.launch {{.*}} threads({{.*}}) in ({{.*}} = %c1024{{.*}}) {{.*}}function(@longest_block_pool_blocks_0)
func.func @longest_block(%x: tensor<2x65536xf32>) -> tensor<2xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x65536xf32>) outs(%start : tensor<2xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2xf32>
  return %sum : tensor<2xf32>
}

// Five pieces of each row, and another kernel for what they leave, which divides. Of
// 4096 accesses, 512 threads would have eight each.
// THREADS-LABEL: func.func @pieces_of_rows(
// THREADS:       gpu.launch {{.*}} threads({{.*}}) in ({{.*}} = %c512{{.*}}) {{.*}}function(@pieces_of_rows_pool_blocks_0)
// CHECK-LABEL: func.func @pieces_of_rows(
// CHECK:         %[[TO:.*]] = memref.alloc() {alignment = 16 : i64} : memref<3xf32>
// CHECK:         scf.if
// CHECK:           %[[PARTS:.*]] = memref.alloc() {alignment = 16 : i64} : memref<15xf32>
// CHECK:           gpu.launch {{.*}} function(@pieces_of_rows_pool_blocks_0)
// CHECK-NOT:         arith.divf
// CHECK:             memref.store %{{.*}}, %[[PARTS]]
// CHECK:           gpu.launch {{.*}} function(@pieces_of_rows_pool_rows_1)
// CHECK:             memref.load %[[PARTS]]
// CHECK:             arith.divf
// CHECK:             memref.store %{{.*}}, %[[TO]]
func.func @pieces_of_rows(%x: tensor<3x65540xf32>) -> tensor<3xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x65540xf32>) outs(%start : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %area = arith.constant 49.0 : f32
  %end = tensor.empty() : tensor<3xf32>
  %mean = linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]}
      ins(%sum : tensor<3xf32>) outs(%end : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.divf %a, %area : f32
    linalg.yield %q : f32
  } -> tensor<3xf32>
  return %mean : tensor<3xf32>
}

// 30 columns: 16 threads beside each other, and 16 of them behind each other, of which
// each has up to four of 49. All of them join what is in shared memory.
// CHECK-LABEL: func.func @columns(
// CHECK-NOT:     scf.if
// CHECK:         gpu.launch blocks({{.*}}) in ({{.*}} = %c4{{[_0-9]*}}, {{.*}}) {{.*}} = %c256{{.*}} function(@columns_pool_columns_0) workgroup(%[[SHARED:.*]] : memref<256xf32, #gpu.address_space<workgroup>>)
// CHECK-NOT:       gpu.subgroup_reduce
// CHECK:           memref.store %{{.*}}, %[[SHARED]]
// CHECK:           gpu.barrier
// CHECK:           scf.for
// CHECK:             memref.load %[[SHARED]]
// CHECK:         return
func.func @columns(%x: tensor<2x7x7x30xf32>) -> tensor<2x30xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x30xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x30xf32>) -> tensor<2x30xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
                       affine_map<(d0, d1, d2, d3) -> (d0, d3)>],
      iterator_types = ["parallel", "reduction", "reduction", "parallel"]}
      ins(%x : tensor<2x7x7x30xf32>) outs(%start : tensor<2x30xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2x30xf32>
  return %sum : tensor<2x30xf32>
}

// 16 bytes of each of 8 columns at once: four planes of 8 times 16 threads, with eight
// words between them. The 32 columns are joined by a thread each.
// CHECK-LABEL: func.func @wide_columns(
// CHECK:         gpu.launch blocks({{.*}}) in ({{.*}} = %c2{{[_0-9]*}}, {{.*}}) {{.*}} = %c128{{.*}} function(@wide_columns_pool_columns_0) workgroup(%[[SHARED:.*]] : memref<544xf32, #gpu.address_space<workgroup>>)
// CHECK:           memref.load %{{.*}} : memref<784xvector<4xf32>>
// CHECK-COUNT-4:   memref.store %{{.*}}, %[[SHARED]]
// CHECK:           gpu.barrier
// CHECK:           arith.cmpi ult, %{{.*}}, %c32
// CHECK:           scf.if
// CHECK:             scf.for %{{.*}} = %c1{{[_0-9]*}} to %c16
func.func @wide_columns(%x: tensor<2x7x7x32xf32>) -> tensor<2x32xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x32xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x32xf32>) -> tensor<2x32xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
                       affine_map<(d0, d1, d2, d3) -> (d0, d3)>],
      iterator_types = ["parallel", "reduction", "reduction", "parallel"]}
      ins(%x : tensor<2x7x7x32xf32>) outs(%start : tensor<2x32xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<2x32xf32>
  return %sum : tensor<2x32xf32>
}

// Four rows of three are three times 16 bytes, so they are read as if they were one of
// 12 columns: five pieces of 256 of such rows. In what they leave, 20 rows are of the
// same three columns.
// CHECK-LABEL: func.func @pieces_of_columns(
// CHECK:         %[[FLAT:.*]] = bufferization.to_buffer
// CHECK:         %[[TO:.*]] = memref.alloc() {alignment = 16 : i64} : memref<3xf32>
// CHECK:         memref.extract_aligned_pointer_as_index
// CHECK:         scf.if
// CHECK:           %[[PARTS:.*]] = memref.alloc() {alignment = 16 : i64} : memref<60xf32>
// CHECK:           gpu.launch blocks({{.*}}) in ({{.*}} = %c5{{[_0-9]*}}, {{.*}}) {{.*}} function(@pieces_of_columns_pool_columns_0)
// CHECK:             memref.load %{{.*}} : memref<3750xvector<4xf32>>
// CHECK:             memref.store %{{.*}}, %[[PARTS]]
// CHECK:           gpu.launch blocks({{.*}}) in ({{.*}} = %c1{{[_0-9]*}}, {{.*}}) {{.*}} function(@pieces_of_columns_pool_columns_1)
// CHECK:             memref.load %[[PARTS]]
// CHECK:             memref.store %{{.*}}, %[[TO]]
// CHECK:         } else {
// CHECK:           gpu.launch {{.*}} function(@pieces_of_columns_pool_columns_2)
// CHECK-COUNT-4:     memref.load %[[FLAT]]
// CHECK:           gpu.launch {{.*}} function(@pieces_of_columns_pool_columns_3)
func.func @pieces_of_columns(%x: tensor<1x5000x3xf32>) -> tensor<1x3xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<1x3xf32>) -> tensor<1x3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d2)>],
      iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x : tensor<1x5000x3xf32>) outs(%start : tensor<1x3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<1x3xf32>
  return %sum : tensor<1x3xf32>
}

// Eight rows of three halves: 129 of such rows are one piece, which still leaves eight
// rows of three.
// CHECK-LABEL: func.func @one_piece_of_columns(
// CHECK:         %[[TO:.*]] = memref.alloc() {alignment = 16 : i64} : memref<6xf32>
// CHECK:         %[[PARTS:.*]] = memref.alloc() {alignment = 16 : i64} : memref<48xf32>
// CHECK:         gpu.launch {{.*}} function(@one_piece_of_columns_pool_columns_0)
// CHECK:           memref.load %{{.*}} : memref<774xvector<4xi32>>
// CHECK-NOT:       memref.store %{{.*}}, %[[TO]]
// CHECK:           memref.store %{{.*}}, %[[PARTS]]
// CHECK:         gpu.launch {{.*}} function(@one_piece_of_columns_pool_columns_1)
// CHECK:           memref.load %[[PARTS]]
// CHECK:           memref.store %{{.*}}, %[[TO]]
func.func @one_piece_of_columns(%x: tensor<2x1032x3xf16>) -> tensor<2x3xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d2)>],
      iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x : tensor<2x1032x3xf16>) outs(%start : tensor<2x3xf32>) {
  ^bb0(%a: f16, %s: f32):
    %w = arith.extf %a : f16 to f32
    %r = arith.addf %s, %w : f32
    linalg.yield %r : f32
  } -> tensor<2x3xf32>
  return %sum : tensor<2x3xf32>
}

// 5001 is no multiple of four.
// CHECK-LABEL: func.func @rows_that_are_left(
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         %[[PARTS:.*]] = memref.alloc() {alignment = 16 : i64} : memref<60xf32>
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch blocks({{.*}}) in ({{.*}} = %c20{{[_0-9]*}}, {{.*}}) {{.*}} function(@rows_that_are_left_pool_columns_0)
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch {{.*}} function(@rows_that_are_left_pool_columns_1)
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @rows_that_are_left(%x: tensor<1x5001x3xf32>) -> tensor<1x3xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<1x3xf32>) -> tensor<1x3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d2)>],
      iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x : tensor<1x5001x3xf32>) outs(%start : tensor<1x3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<1x3xf32>
  return %sum : tensor<1x3xf32>
}

// Nobody knows what any is a multiple of: of low ones or high ones, none are put together.
// CHECK-LABEL: func.func @any_height(
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch {{.*}} function(@any_height_pool_columns_0)
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch {{.*}} function(@any_height_pool_columns_1)
// CHECK-NOT:     memref.load {{.*}}vector<
// CHECK:         gpu.launch {{.*}} function(@any_height_pool_columns_2)
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @any_height(%x: tensor<1x?x3xf32>) -> tensor<1x3xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<1x3xf32>) -> tensor<1x3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d2)>],
      iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x : tensor<1x?x3xf32>) outs(%start : tensor<1x3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<1x3xf32>
  return %sum : tensor<1x3xf32>
}

// The outer sum is a loop around each row.
// CHECK-LABEL: func.func @around_what_is_kept(
// CHECK:         gpu.launch {{.*}} function(@around_what_is_kept_pool_rows_0)
// CHECK:           scf.for %{{.*}} = %c0{{[_0-9]*}} to %c5{{[_0-9]*}} step %c1{{[_0-9]*}} iter_args
// CHECK:             memref.load
func.func @around_what_is_kept(%x: tensor<5x6x7xf32>) -> tensor<6xf32> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<6xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<6xf32>) -> tensor<6xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d1)>],
      iterator_types = ["reduction", "parallel", "reduction"]}
      ins(%x : tensor<5x6x7xf32>) outs(%start : tensor<6xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<6xf32>
  return %sum : tensor<6xf32>
}

// CHECK-LABEL: func.func @maximum(
// CHECK:         gpu.launch {{.*}} function(@maximum_pool_rows_0)
// CHECK:           arith.maximumf
// CHECK:           gpu.subgroup_reduce maximumf %{{.*}} cluster(size = 2)
func.func @maximum(%x: tensor<4x18xf32>) -> tensor<4xf32> {
  %init = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x18xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.maximumf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// Eight halves in 16 bytes, added up in f32.
// CHECK-LABEL: func.func @half(
// CHECK:         memref.load %{{.*}} : memref<8xvector<4xi32>>
// CHECK-COUNT-8: arith.extf %{{.*}} : f16 to f32
// CHECK:         gpu.launch {{.*}} function(@half_pool_rows_1)
// CHECK:           memref.load %{{.*}} : memref<64xf16>
// CHECK:           arith.truncf %{{.*}} : f32 to f16
func.func @half(%x: tensor<2x4x8xf16>) -> tensor<2x4xf16> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x4xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x4xf32>) -> tensor<2x4xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<2x4x8xf16>) outs(%start : tensor<2x4xf32>) {
  ^bb0(%a: f16, %s: f32):
    %w = arith.extf %a : f16 to f32
    %r = arith.addf %s, %w : f32
    linalg.yield %r : f32
  } -> tensor<2x4xf32>
  %area = arith.constant 49.0 : f32
  %end = tensor.empty() : tensor<2x4xf16>
  %mean = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<2x4xf32>) outs(%end : tensor<2x4xf16>) {
  ^bb0(%a: f32, %o: f16):
    %q = arith.divf %a, %area : f32
    %n = arith.truncf %q : f32 to f16
    linalg.yield %n : f16
  } -> tensor<2x4xf16>
  return %mean : tensor<2x4xf16>
}

// Kernels see bf16 as 16 bits. Eight rows are less than a tile.
// CHECK-LABEL: func.func @bfloat(
// CHECK:         builtin.unrealized_conversion_cast %{{.*}} : memref<56xbf16> to memref<56xi16>
// CHECK:         gpu.launch {{.*}} workgroup(%[[TILE:.*]] : memref<{{.*}}xi32
// CHECK:           memref.load %[[TILE]]
// CHECK:           arith.bitcast %{{.*}} : i16 to bf16
// CHECK:         } else {
// CHECK:           %[[BITS:.*]] = memref.load %{{.*}} : memref<56xi16>
// CHECK:           arith.bitcast %[[BITS]] : i16 to bf16
// CHECK:           memref.store %{{.*}} : memref<8xi16>
// KERNELS:       gpu.func @bfloat_pool_rows_1(%{{.*}}: memref<56xi16>, %{{.*}}: memref<8xi16>)
// KERNELS-NOT:     bf16
// KERNELS:         gpu.return
func.func @bfloat(%x: tensor<2x4x7xbf16>) -> tensor<2x4xbf16> {
  %init = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x4xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<2x4xf32>) -> tensor<2x4xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<2x4x7xbf16>) outs(%start : tensor<2x4xf32>) {
  ^bb0(%a: bf16, %s: f32):
    %w = arith.extf %a : bf16 to f32
    %r = arith.addf %s, %w : f32
    linalg.yield %r : f32
  } -> tensor<2x4xf32>
  %area = arith.constant 49.0 : f32
  %end = tensor.empty() : tensor<2x4xbf16>
  %mean = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<2x4xf32>) outs(%end : tensor<2x4xbf16>) {
  ^bb0(%a: f32, %o: bf16):
    %q = arith.divf %a, %area : f32
    %n = arith.truncf %q : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<2x4xbf16>
  return %mean : tensor<2x4xbf16>
}

// What is not known decides when the code runs: the length of rows, whether it is
// a multiple of four, and how many tasks there are.
// CHECK-LABEL: func.func @dynamic(
// CHECK:         scf.if
// CHECK:           memref.extract_aligned_pointer_as_index
// CHECK:           scf.if
// CHECK:             scf.if
// CHECK:               gpu.launch {{.*}} function(@dynamic_pool_rows_0)
// CHECK:                 memref.load {{.*}} : memref<?xvector<4xf32>>
// CHECK:             } else {
// CHECK:               scf.if
// CHECK:                 gpu.launch {{.*}} function(@dynamic_pool_blocks_1)
// CHECK:               } else {
// CHECK:                 gpu.launch {{.*}} function(@dynamic_pool_blocks_2)
// CHECK:                 gpu.launch {{.*}} function(@dynamic_pool_rows_3)
// CHECK:           } else {
// CHECK:               gpu.launch {{.*}} function(@dynamic_pool_rows_4)
// CHECK-NOT:             vector<
// CHECK:               gpu.launch {{.*}} function(@dynamic_pool_rows_7)
// CHECK:         } else {
// CHECK:           gpu.launch {{.*}} function(@dynamic_pool_rows_8)
// CHECK-NOT:         vector<
// CHECK:           gpu.launch {{.*}} function(@dynamic_pool_rows_11)
func.func @dynamic(%x: tensor<?x3x?xf32>) -> tensor<?x3xf32> {
  %init = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %d0 = tensor.dim %x, %c0 : tensor<?x3x?xf32>
  %empty = tensor.empty(%d0) : tensor<?x3xf32>
  %start = linalg.fill ins(%init : f32) outs(%empty : tensor<?x3xf32>) -> tensor<?x3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
                       affine_map<(d0, d1, d2) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x3x?xf32>) outs(%start : tensor<?x3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<?x3xf32>
  return %sum : tensor<?x3xf32>
}

// A buffer that somebody gave may start anywhere.
// CHECK-LABEL: func.func @given(
// CHECK:         memref.extract_aligned_pointer_as_index
// CHECK:         function(@given_pool_rows_0)
// CHECK:         function(@given_pool_rows_1)
func.func @given(%x: memref<3x64xf32>) -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %t = bufferization.to_tensor %x restrict : memref<3x64xf32> to tensor<3x64xf32>
  %empty = tensor.empty() : tensor<3xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<3x64xf32>) outs(%start : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %sum : tensor<3xf32>
}

// So may one that is allocated for single numbers.
// CHECK-LABEL: func.func @allocated(
// CHECK:         memref.extract_aligned_pointer_as_index
// CHECK:         function(@allocated_pool_rows_1)
func.func @allocated() -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %x = memref.alloc() {alignment = 8} : memref<3x64xf32>
  %t = bufferization.to_tensor %x restrict : memref<3x64xf32> to tensor<3x64xf32>
  %empty = tensor.empty() : tensor<3xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<3x64xf32>) outs(%start : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %sum : tensor<3xf32>
}

// CHECK-LABEL: func.func @aligned(
// CHECK-NOT:     memref.extract_aligned_pointer_as_index
// CHECK:         function(@aligned_pool_rows_0)
// CHECK-NOT:     function(@aligned_pool_rows_1)
// CHECK:         return
func.func @aligned() -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %x = memref.alloc() {alignment = 32} : memref<3x64xf32>
  %t = bufferization.to_tensor %x restrict : memref<3x64xf32> to tensor<3x64xf32>
  %empty = tensor.empty() : tensor<3xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<3x64xf32>) outs(%start : tensor<3xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %sum : tensor<3xf32>
}

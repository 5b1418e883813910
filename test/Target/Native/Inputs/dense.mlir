// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A dense layer by hand: [batch][8] -> [batch][4], with a weight, a bias that is
// too small to be one, and scratch memory.
llvm.mlir.global private constant @weight(dense<
    [[ 1.0,  2.0,  3.0,  4.0,  5.0,  6.0,  7.0,  8.0],
     [-1.0,  0.5, -0.5,  0.25, 0.0,  1.0,  0.0,  0.0],
     [ 0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  1.0],
     [ 0.5,  0.5,  0.5,  0.5,  0.5,  0.5,  0.5,  0.5]]> : tensor<4x8xf32>)
    : !llvm.array<4 x array<8 x f32>>
llvm.mlir.global private constant @bias(dense<
    [0.0, 10.0, 20.0, 30.0]> : tensor<4xf32>) : !llvm.array<4 x f32>
llvm.mlir.global private @scratch() : !llvm.array<8 x f32> {
  %0 = llvm.mlir.undef : !llvm.array<8 x f32>
  llvm.return %0 : !llvm.array<8 x f32>
}

llvm.func @dense(%features: !llvm.ptr, %batch: i64, %output: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 8],
                                     output = [-1, 4]}} {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  %four = llvm.mlir.constant(4 : i64) : i64
  %eight = llvm.mlir.constant(8 : i64) : i64
  %done = llvm.mlir.constant(0 : i32) : i32
  %wrong = llvm.mlir.constant(1 : i32) : i32
  %negative = llvm.icmp "slt" %batch, %zero : i64
  llvm.cond_br %negative, ^refuse, ^empty
^empty:
  %is_empty = llvm.icmp "eq" %batch, %zero : i64
  llvm.cond_br %is_empty, ^finish, ^pointers
^pointers:
  %null = llvm.mlir.zero : !llvm.ptr
  %no_features = llvm.icmp "eq" %features, %null : !llvm.ptr
  %no_output = llvm.icmp "eq" %output, %null : !llvm.ptr
  %is_null = llvm.or %no_features, %no_output : i1
  llvm.cond_br %is_null, ^refuse, ^sample(%zero : i64)
^sample(%n: i64):
  %more = llvm.icmp "slt" %n, %batch : i64
  llvm.cond_br %more, ^copy(%zero : i64), ^finish
^copy(%c: i64):
  // The sample goes through scratch memory.
  %scratch = llvm.mlir.addressof @scratch : !llvm.ptr
  %row = llvm.mul %n, %eight : i64
  %from_index = llvm.add %row, %c : i64
  %from = llvm.getelementptr %features[%from_index] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %value = llvm.load %from {alignment = 4 : i64} : !llvm.ptr -> f32
  %to = llvm.getelementptr %scratch[%c] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  llvm.store %value, %to {alignment = 4 : i64} : f32, !llvm.ptr
  %c1 = llvm.add %c, %one : i64
  %copies = llvm.icmp "slt" %c1, %eight : i64
  llvm.cond_br %copies, ^copy(%c1 : i64), ^out(%zero : i64)
^out(%o: i64):
  %bias = llvm.mlir.addressof @bias : !llvm.ptr
  %bias_at = llvm.getelementptr %bias[%o] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %start = llvm.load %bias_at : !llvm.ptr -> f32
  llvm.br ^sum(%zero, %start : i64, f32)
^sum(%k: i64, %acc: f32):
  %weight = llvm.mlir.addressof @weight : !llvm.ptr
  %w_row = llvm.mul %o, %eight : i64
  %w_index = llvm.add %w_row, %k : i64
  %w_at = llvm.getelementptr %weight[%w_index] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %w = llvm.load %w_at : !llvm.ptr -> f32
  %scratch2 = llvm.mlir.addressof @scratch : !llvm.ptr
  %x_at = llvm.getelementptr %scratch2[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %x = llvm.load %x_at : !llvm.ptr -> f32
  %product = llvm.fmul %x, %w {fastmathFlags = #llvm.fastmath<contract, reassoc>} : f32
  %next = llvm.fadd %acc, %product {fastmathFlags = #llvm.fastmath<contract, reassoc>} : f32
  %k1 = llvm.add %k, %one : i64
  %sums = llvm.icmp "slt" %k1, %eight : i64
  llvm.cond_br %sums, ^sum(%k1, %next : i64, f32), ^store
^store:
  %o_row = llvm.mul %n, %four : i64
  %o_index = llvm.add %o_row, %o : i64
  %o_at = llvm.getelementptr %output[%o_index] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  llvm.store %next, %o_at {alignment = 4 : i64} : f32, !llvm.ptr
  %o1 = llvm.add %o, %one : i64
  %outs = llvm.icmp "slt" %o1, %four : i64
  %n1 = llvm.add %n, %one : i64
  llvm.cond_br %outs, ^out(%o1 : i64), ^sample(%n1 : i64)
^finish:
  llvm.return %done : i32
^refuse:
  llvm.return %wrong : i32
}

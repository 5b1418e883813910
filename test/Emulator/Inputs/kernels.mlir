// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of the kinds that heads need. The tests put the size of a sub-group
// for SUBGROUP, and how many a block of 256 threads has for WAVES.
module attributes {gpu.container_module} {
gpu.module @kernels {

// A block for each row of 250 vectors.
gpu.func @pool_block(%x: memref<1000000xvector<4xf32>>, %y: memref<1000000xf32>)
    workgroup(%sm : memref<WAVESxf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64})
    kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %subgroup = arith.constant SUBGROUP : index
  %waves = arith.constant WAVES : index
  %n = arith.constant 250 : index
  %threads = arith.constant 256 : index
  %z = arith.constant dense<0.0> : vector<4xf32>
  %zf = arith.constant 0.0 : f32
  %rcp = arith.constant 0.001 : f32
  %b = gpu.block_id x
  %t = gpu.thread_id x
  %row = arith.muli %b, %n : index
  %acc = scf.for %i = %t to %n step %threads iter_args(%a = %z) -> vector<4xf32> {
    %p = arith.addi %row, %i : index
    %v = memref.load %x[%p] : memref<1000000xvector<4xf32>>
    %s = arith.addf %a, %v : vector<4xf32>
    scf.yield %s : vector<4xf32>
  }
  %h = vector.reduction <add>, %acc fastmath<reassoc> : vector<4xf32> into f32
  %w = gpu.subgroup_reduce add %h : (f32) -> f32
  %lane = arith.remui %t, %subgroup : index
  %wave = arith.divui %t, %subgroup : index
  %first = arith.cmpi eq, %lane, %c0 : index
  scf.if %first {
    memref.store %w, %sm[%wave] : memref<WAVESxf32, #gpu.address_space<workgroup>>
  }
  gpu.barrier
  %zero = arith.cmpi eq, %t, %c0 : index
  scf.if %zero {
    %r = scf.for %k = %c0 to %waves step %c1 iter_args(%a = %zf) -> f32 {
      %q = memref.load %sm[%k] : memref<WAVESxf32, #gpu.address_space<workgroup>>
      %s = arith.addf %a, %q : f32
      scf.yield %s : f32
    }
    %m = arith.mulf %r, %rcp : f32
    memref.store %m, %y[%b] : memref<1000000xf32>
  }
  gpu.return
}

// A sub-group for each row of 49; %rows need not fill the last block.
gpu.func @pool_subgroup(%x: memref<1000000xf32>, %rows: index, %y: memref<1000000xf32>,
                        %scale: f32)
    kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
  %c0 = arith.constant 0 : index
  %subgroup = arith.constant SUBGROUP : index
  %waves = arith.constant WAVES : index
  %n = arith.constant 49 : index
  %zf = arith.constant 0.0 : f32
  %b = gpu.block_id x
  %t = gpu.thread_id x
  %lane = arith.remui %t, %subgroup : index
  %wave = arith.divui %t, %subgroup : index
  %before = arith.muli %b, %waves : index
  %row = arith.addi %before, %wave : index
  %inside = arith.cmpi ult, %row, %rows : index
  scf.if %inside {
    %start = arith.muli %row, %n : index
    %s = scf.for %i = %lane to %n step %subgroup iter_args(%a = %zf) -> f32 {
      %p = arith.addi %start, %i : index
      %v = memref.load %x[%p] : memref<1000000xf32>
      %q = arith.addf %a, %v : f32
      scf.yield %q : f32
    }
    %r = gpu.subgroup_reduce add %s CLUSTER : (f32) -> f32
    %first = arith.cmpi eq, %lane, %c0 : index
    scf.if %first {
      %m = arith.mulf %r, %scale : f32
      memref.store %m, %y[%row] : memref<1000000xf32>
    }
  }
  gpu.return
}

// 128 rows of 49 through shared memory, and then once more backwards through
// the same memory.
gpu.func @pool_staged(%x: memref<1000000xvector<4xf32>>, %y: memref<1000000xf32>)
    workgroup(%sm : memref<1568xvector<4xf32>, #gpu.address_space<workgroup>>)
    kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c49 = arith.constant 49 : index
  %c127 = arith.constant 127 : index
  %c128 = arith.constant 128 : index
  %size = arith.constant 1568 : index
  %zf = arith.constant 0.0 : f32
  %rcp = arith.constant 2.040816327e-02 : f32
  %b = gpu.block_id x
  %t = gpu.thread_id x
  %base = arith.muli %b, %size : index
  scf.for %i = %t to %size step %c128 {
    %g = arith.addi %base, %i : index
    %v = memref.load %x[%g] : memref<1000000xvector<4xf32>>
    memref.store %v, %sm[%i] : memref<1568xvector<4xf32>, #gpu.address_space<workgroup>>
  }
  gpu.barrier
  %row = arith.muli %t, %c49 : index
  %sum = scf.for %j = %c0 to %c49 step %c1 iter_args(%a = %zf) -> f32 {
    %p = arith.addi %row, %j : index
    %q = arith.divui %p, %c4 : index
    %l = arith.remui %p, %c4 : index
    %e4 = memref.load %sm[%q] : memref<1568xvector<4xf32>, #gpu.address_space<workgroup>>
    %e = vector.extract %e4[%l] : f32 from vector<4xf32>
    %s = arith.addf %a, %e : f32
    scf.yield %s : f32
  }
  %m = arith.mulf %sum, %rcp : f32
  gpu.barrier
  %spread = vector.broadcast %m : f32 to vector<4xf32>
  memref.store %spread, %sm[%t] : memref<1568xvector<4xf32>, #gpu.address_space<workgroup>>
  gpu.barrier
  %back = arith.subi %c127, %t : index
  %o4 = memref.load %sm[%back] : memref<1568xvector<4xf32>, #gpu.address_space<workgroup>>
  %o = vector.extract %o4[2] : f32 from vector<4xf32>
  %bb = arith.muli %b, %c128 : index
  %ch = arith.addi %bb, %t : index
  memref.store %o, %y[%ch] : memref<1000000xf32>
  gpu.return
}

// Sums and maxima of neighbours, and an exchange: y has eight values a thread.
gpu.func @neighbours(%x: memref<1000000xf32>, %y: memref<1000000xf32>, %add: i32)
    kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
  %c8 = arith.constant 8 : index
  %c1 = arith.constant 1 : i32
  %c16 = arith.constant 16 : i32
  %c32 = arith.constant 32 : i32
  %threads = arith.constant 64 : index
  %b = gpu.block_id x
  %t = gpu.thread_id x
  %first = arith.muli %b, %threads : index
  %i = arith.addi %first, %t : index
  %v = memref.load %x[%i] : memref<1000000xf32>
  %r0 = gpu.subgroup_reduce add %v cluster(size = 2) : (f32) -> f32
  %r1 = gpu.subgroup_reduce maximumf %v cluster(size = 4) : (f32) -> f32
  %r2 = gpu.subgroup_reduce add %v cluster(size = 8) : (f32) -> f32
  %r3 = gpu.subgroup_reduce maximumf %v cluster(size = 16) : (f32) -> f32
  %r4 = gpu.subgroup_reduce add %v cluster(size = 32) : (f32) -> f32
  %r5, %valid5 = gpu.shuffle xor %v, %c1, %c32 : f32
  %r6, %valid6 = gpu.shuffle xor %v, %c16, %c32 : f32
  %n = arith.fptosi %v : f32 to i32
  %n1 = gpu.subgroup_reduce add %n cluster(size = 8) : (i32) -> i32
  %n2 = arith.addi %n1, %add : i32
  %n3 = arith.select %valid5, %n2, %c1 : i32
  %r7 = arith.sitofp %n3 : i32 to f32
  %o = arith.muli %i, %c8 : index
  %k0 = arith.constant 0 : index
  %o0 = arith.addi %o, %k0 : index
  memref.store %r0, %y[%o0] : memref<1000000xf32>
  %k1 = arith.constant 1 : index
  %o1 = arith.addi %o, %k1 : index
  memref.store %r1, %y[%o1] : memref<1000000xf32>
  %k2 = arith.constant 2 : index
  %o2 = arith.addi %o, %k2 : index
  memref.store %r2, %y[%o2] : memref<1000000xf32>
  %k3 = arith.constant 3 : index
  %o3 = arith.addi %o, %k3 : index
  memref.store %r3, %y[%o3] : memref<1000000xf32>
  %k4 = arith.constant 4 : index
  %o4 = arith.addi %o, %k4 : index
  memref.store %r4, %y[%o4] : memref<1000000xf32>
  %k5 = arith.constant 5 : index
  %o5 = arith.addi %o, %k5 : index
  memref.store %r5, %y[%o5] : memref<1000000xf32>
  %k6 = arith.constant 6 : index
  %o6 = arith.addi %o, %k6 : index
  memref.store %r6, %y[%o6] : memref<1000000xf32>
  %k7 = arith.constant 7 : index
  %o7 = arith.addi %o, %k7 : index
  memref.store %r7, %y[%o7] : memref<1000000xf32>
  gpu.return
}

// f16, bf16 as its bits, and f64, with a loop that may not run at all.
gpu.func @types(%h: memref<1000000xvector<4xi32>>, %s: memref<1000000xi16>,
                %d: memref<1000000xf64>, %n: index, %y: memref<1000000xf64>,
                %z: memref<1000000xf16>)
    kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : i32
  %one = arith.constant 1.0 : f64
  %t = gpu.thread_id x
  %v = memref.load %h[%t] : memref<1000000xvector<4xi32>>
  %halves = vector.bitcast %v : vector<4xi32> to vector<8xf16>
  %h5 = vector.extract %halves[5] : f16 from vector<8xf16>
  %f = arith.extf %h5 : f16 to f32
  %bits = memref.load %s[%t] : memref<1000000xi16>
  %wide = arith.extui %bits : i16 to i32
  %shifted = arith.shli %wide, %c16 : i32
  %g = arith.bitcast %shifted : i32 to f32
  %sum = math.fma %f, %f, %g : f32
  %back = arith.truncf %sum : f32 to f16
  memref.store %back, %z[%t] : memref<1000000xf16>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %one) -> f64 {
    %at = arith.muli %t, %n : index
    %p = arith.addi %at, %i : index
    %e = memref.load %d[%p] : memref<1000000xf64>
    %q = arith.addf %a, %e : f64
    scf.yield %q : f64
  }
  memref.store %r, %y[%t] : memref<1000000xf64>
  gpu.return
}

}
}

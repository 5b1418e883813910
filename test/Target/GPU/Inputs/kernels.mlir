// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of the forms that the GPU schedules make, for tests of the back ends.
module attributes {gpu.container_module} {

  // Stays as it is: only kernels are lowered.
  func.func @head(%in: memref<?xvector<4xf32>>, %out: memref<?xf32>, %rows: index) {
    %c1 = arith.constant 1 : index
    %c256 = arith.constant 256 : index
    gpu.launch_func @kernels::@rows blocks in (%rows, %c1, %c1) threads in (%c256, %c1, %c1)
      args(%in : memref<?xvector<4xf32>>, %rows : index, %out : memref<?xf32>)
    return
  }

  gpu.module @kernels {

    // A row of 49 * 4 numbers to a cluster of eight lanes.
    gpu.func @rows(%in: memref<?xvector<4xf32>>, %rows: index, %out: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c8 = arith.constant 8 : index
      %c32 = arith.constant 32 : index
      %c49 = arith.constant 49 : index
      %zero = arith.constant 0.0 : f32
      %scale = arith.constant 0.00510204071 : f32
      %t = gpu.thread_id x
      %b = gpu.block_id x
      %lane = arith.remui %t, %c8 : index
      %local = arith.divui %t, %c8 : index
      %first = arith.muli %b, %c32 : index
      %row = arith.addi %first, %local : index
      %inside = arith.cmpi ult, %row, %rows : index
      %base = arith.muli %row, %c49 : index
      // No trip at all beyond the last row.
      %end = arith.select %inside, %c49, %c0 : index
      %sum = scf.for %i = %lane to %end step %c8 iter_args(%acc = %zero) -> f32 {
        %at = arith.addi %base, %i : index
        %v = memref.load %in[%at] : memref<?xvector<4xf32>>
        %v0 = vector.extract %v[0] : f32 from vector<4xf32>
        %v1 = vector.extract %v[1] : f32 from vector<4xf32>
        %v2 = vector.extract %v[2] : f32 from vector<4xf32>
        %v3 = vector.extract %v[3] : f32 from vector<4xf32>
        %s01 = arith.addf %v0, %v1 : f32
        %s23 = arith.addf %v2, %v3 : f32
        %s = arith.addf %s01, %s23 : f32
        %next = arith.addf %acc, %s : f32
        scf.yield %next : f32
      }
      %all = gpu.subgroup_reduce add %sum cluster(size = 8) : (f32) -> f32
      %mean = arith.mulf %all, %scale : f32
      %leads = arith.cmpi eq, %lane, %c0 : index
      %writes = arith.andi %leads, %inside : i1
      scf.if %writes {
        memref.store %mean, %out[%row] : memref<?xf32>
      }
      gpu.return
    }

    // A row to a block: sums of sub-groups of 32 lanes meet in shared memory.
    gpu.func @block(%in: memref<?xf32>, %extent: index, %out: memref<?xf32>)
        workgroup(%shared : memref<8xf32, #gpu.address_space<workgroup>>)
        kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %c32 = arith.constant 32 : index
      %c256 = arith.constant 256 : index
      %zero = arith.constant 0.0 : f32
      %t = gpu.thread_id x
      %row = gpu.block_id x
      %base = arith.muli %row, %extent : index
      %sum = scf.for %i = %t to %extent step %c256 iter_args(%acc = %zero) -> f32 {
        %at = arith.addi %base, %i : index
        %v = memref.load %in[%at] : memref<?xf32>
        %next = arith.addf %acc, %v : f32
        scf.yield %next : f32
      }
      %part = gpu.subgroup_reduce add %sum cluster(size = 32) : (f32) -> f32
      %lane = arith.remui %t, %c32 : index
      %warp = arith.divui %t, %c32 : index
      %leads = arith.cmpi eq, %lane, %c0 : index
      scf.if %leads {
        memref.store %part, %shared[%warp] : memref<8xf32, #gpu.address_space<workgroup>>
      }
      gpu.barrier
      %first = arith.cmpi eq, %t, %c0 : index
      scf.if %first {
        %total = scf.for %i = %c0 to %c8 step %c1 iter_args(%acc = %zero) -> f32 {
          %v = memref.load %shared[%i] : memref<8xf32, #gpu.address_space<workgroup>>
          %next = arith.addf %acc, %v : f32
          scf.yield %next : f32
        }
        %n = arith.index_cast %extent : index to i32
        %count = arith.uitofp %n : i32 to f32
        %mean = arith.divf %total, %count : f32
        memref.store %mean, %out[%row] : memref<?xf32>
      }
      gpu.return
    }

    // A column to a thread, with the functions that chips have.
    gpu.func @columns(%in: memref<?xf32>, %columns: index, %rows: index, %scale: f32, %out: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c128 = arith.constant 128 : index
      %low = arith.constant 0.0 : f32
      %high = arith.constant 6.0 : f32
      %t = gpu.thread_id x
      %b = gpu.block_id x
      %grid = gpu.grid_dim x
      %threads = arith.muli %grid, %c128 : index
      %first = arith.muli %b, %c128 : index
      %start = arith.addi %first, %t : index
      scf.for %c = %start to %columns step %threads {
        %sum = scf.for %r = %c0 to %rows step %c1 iter_args(%acc = %low) -> f32 {
          %line = arith.muli %r, %columns : index
          %at = arith.addi %line, %c : index
          %v = memref.load %in[%at] : memref<?xf32>
          %next = math.fma %v, %scale, %acc : f32
          scf.yield %next : f32
        }
        %root = math.sqrt %sum : f32
        %absolute = math.absf %root : f32
        %even = math.roundeven %absolute : f32
        %floor = math.floor %even : f32
        %up = arith.maximumf %floor, %low : f32
        %down = arith.minimumf %up, %high : f32
        memref.store %down, %out[%c] : memref<?xf32>
      }
      gpu.return
    }

    // Eight halves in a load, and a sum over the whole of a sub-group.
    gpu.func @halves(%in: memref<?xvector<4xi32>>, %out: memref<?xf16>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
      %t = gpu.thread_id x
      %b = gpu.block_id x
      %first = arith.muli %b, %c64 : index
      %at = arith.addi %first, %t : index
      %bits = memref.load %in[%at] : memref<?xvector<4xi32>>
      %v = vector.bitcast %bits : vector<4xi32> to vector<8xf16>
      %wide = arith.extf %v : vector<8xf16> to vector<8xf32>
      %sum = vector.reduction <add>, %wide : vector<8xf32> into f32
      %all = gpu.subgroup_reduce add %sum : (f32) -> f32
      %largest = gpu.subgroup_reduce maximumf %sum : (f32) -> f32
      %both = arith.addf %all, %largest : f32
      %narrow = arith.truncf %both : f32 to f16
      memref.store %narrow, %out[%at] : memref<?xf16>
      gpu.return
    }

    // bfloat16 is computed with as integers.
    gpu.func @bfloats(%in: memref<?xi16>, %count: i32, %out: memref<?xi16>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c64 = arith.constant 64 : i32
      %c16 = arith.constant 16 : i32
      %one = arith.constant 1.0 : f32
      %t = gpu.thread_id x
      %b = gpu.block_id x
      %t32 = arith.index_cast %t : index to i32
      %b32 = arith.index_cast %b : index to i32
      %first = arith.muli %b32, %c64 : i32
      %at32 = arith.addi %first, %t32 : i32
      %inside = arith.cmpi ult, %at32, %count : i32
      scf.if %inside {
        %at = arith.index_castui %at32 : i32 to index
        %bits = memref.load %in[%at] : memref<?xi16>
        %wide = arith.extui %bits : i16 to i32
        %up = arith.shli %wide, %c16 : i32
        %v = arith.bitcast %up : i32 to f32
        %more = arith.addf %v, %one : f32
        %back = arith.bitcast %more : f32 to i32
        %down = arith.shrui %back, %c16 : i32
        %narrow = arith.trunci %down : i32 to i16
        memref.store %narrow, %out[%at] : memref<?xi16>
      }
      gpu.return
    }

    // Doubles go through 64-bit shuffles; a pair of them is one load.
    gpu.func @doubles(%in: memref<?xvector<2xf64>>, %out: memref<?xf64>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %t = gpu.thread_id x
      %b = gpu.block_id x
      %c64 = arith.constant 64 : index
      %first = arith.muli %b, %c64 : index
      %at = arith.addi %first, %t : index
      %v = memref.load %in[%at] : memref<?xvector<2xf64>>
      %v0 = vector.extract %v[0] : f64 from vector<2xf64>
      %v1 = vector.extract %v[1] : f64 from vector<2xf64>
      %s = arith.addf %v0, %v1 : f64
      %all = gpu.subgroup_reduce add %s cluster(size = 16) : (f64) -> f64
      memref.store %all, %out[%at] : memref<?xf64>
      gpu.return
    }

    // A layer's weights are read by all; nothing here writes to them.
    gpu.func @dense(%x: memref<?xf32> {llvm.noalias}, %w: memref<64xvector<4xf32>> {llvm.noalias}, %y: memref<?xf32> {llvm.noalias})
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %t = gpu.thread_id x
      %c1 = arith.constant 1 : i32
      %c32 = arith.constant 32 : i32
      %v = memref.load %x[%t] : memref<?xf32>
      %wv = memref.load %w[%t] : memref<64xvector<4xf32>>
      %w3 = vector.extract %wv[3] : f32 from vector<4xf32>
      %p = math.fma %v, %w3, %v : f32
      %q, %valid = gpu.shuffle xor %p, %c1, %c32 : f32
      %r = arith.addf %p, %q : f32
      memref.store %r, %y[%t] : memref<?xf32>
      gpu.return
    }
  }
}

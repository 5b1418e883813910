/*===- HeadOpt.h - Pooling the heads of ONNX models, from C --------*- C
-*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|* What `head-opt model.onnx -o pooled.onnx --report=report.json` does, as    *|
|* functions of libHeadOpt.so. Needs no header of LLVM or MLIR; types are     *|
|* plain, so that other languages can call it (examples/c-api).               *|
|*                                                                            *|
|* Errors: functions that can fail return null, or a number other than 0, and *|
|* leave one line of text in `*error`, which names the model, what is wrong,  *|
|* and where possible what to do. The caller frees it with headoptFree();     *|
|* after success `*error` is null. `error` itself may be null. A null where a *|
|* model, a path, bytes or a result must be is such an error, not a crash.    *|
|* No C++ exception comes out. As everywhere in LLVM, the process ends when   *|
|* memory runs out.                                                           *|
|*                                                                            *|
|* Threads: any number of threads may use models of their own at the same     *|
|* time. One model is for one thread at a time. There is no global state.     *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef HEADOPT_C_HEADOPT_H
#define HEADOPT_C_HEADOPT_H

#include <stddef.h>

#if defined(_WIN32)
#define HEADOPT_CAPI_EXPORTED
#else
#define HEADOPT_CAPI_EXPORTED __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define HEADOPT_CAPI_NOEXCEPT noexcept
extern "C" {
#else
#define HEADOPT_CAPI_NOEXCEPT
#endif

/** An ONNX model, and what was found of it. */
typedef struct HeadOptModel HeadOptModel;

/** How the bytes of a model are written. */
enum HeadOptFormat {
  /** A serialized ModelProto (.onnx). */
  HEADOPT_FORMAT_BINARY = 0,
  /** ONNX's text format (.onnxtxt). */
  HEADOPT_FORMAT_TEXT = 1
};

/** Options of headoptModelOptimize(), to be combined by `|`. They are called
 *  as those of the tool. */
enum HeadOptFlags {
  /** Do not compute how far refused weights are from even, which reads all of
   *  them (--no-residual). */
  HEADOPT_NO_RESIDUAL = 1,
  /** Take initializers that are also graph inputs for constants: no caller
   *  overrides them (--constant-initializers). */
  HEADOPT_CONSTANT_INITIALIZERS = 2,
  /** Run rewritten heads before and after with a reference evaluator, and fail
   *  when they differ by more than rounding (--verify). */
  HEADOPT_VERIFY = 4
};

/** The version of the library, such as "0.1.0". Not to be freed. */
HEADOPT_CAPI_EXPORTED const char *headoptVersion(void) HEADOPT_CAPI_NOEXCEPT;

/** Frees a text or bytes that a function of this header gave. Null is fine. */
HEADOPT_CAPI_EXPORTED void headoptFree(void *memory) HEADOPT_CAPI_NOEXCEPT;

/** Imports the model in the file `path`: text when the name ends in .onnxtxt,
 *  else binary. Large tensors stay in the file, which must not change while the
 *  model is used. Null after an error. */
HEADOPT_CAPI_EXPORTED HeadOptModel *
headoptModelImportFile(const char *path, char **error) HEADOPT_CAPI_NOEXCEPT;

/** Imports the model in the `size` bytes at `bytes`, which are copied. `path`
 *  is the file that it would be in: external data is looked for beside it, and
 *  messages and the report name it; may be null. `format` is a HeadOptFormat.
 *  Null after an error. */
HEADOPT_CAPI_EXPORTED HeadOptModel *
headoptModelImportMemory(const void *bytes, size_t size, int format,
                         const char *path, char **error) HEADOPT_CAPI_NOEXCEPT;

/** Frees a model. Null is fine. */
HEADOPT_CAPI_EXPORTED void
headoptModelDestroy(HeadOptModel *model) HEADOPT_CAPI_NOEXCEPT;

/** Judges all heads, and pools those for which that is proved to give the same
 *  function (the pass flatten-to-gap). `flags` are HeadOptFlags. Once for each
 *  model; after an error only headoptModelDestroy() takes it. 0 on success,
 *  also when no head was rewritten. */
HEADOPT_CAPI_EXPORTED int
headoptModelOptimize(HeadOptModel *model, unsigned flags,
                     char **error) HEADOPT_CAPI_NOEXCEPT;

/** How many heads headoptModelOptimize() rewrote; 0 before it and for null. */
HEADOPT_CAPI_EXPORTED size_t
headoptModelGetNumRewritten(const HeadOptModel *model) HEADOPT_CAPI_NOEXCEPT;

/** The report on an optimised model as JSON (docs/Report.md), to be freed with
 *  headoptFree(). `output` and `bytes_after` are those of the last export to a
 *  file, and null before. Null after an error. */
HEADOPT_CAPI_EXPORTED char *
headoptModelGetReport(const HeadOptModel *model,
                      char **error) HEADOPT_CAPI_NOEXCEPT;

/** Writes the model to the file `path`, which ends in .onnx or .onnxtxt and
 *  appears whole or not at all; it may be the one that the model came from.
 *  External data stays where it is when `path` is in the folder of the model,
 *  and is copied to `<path>.data` otherwise. A model that nothing changed is
 *  written byte for byte as it came, where the format and the place of external
 *  data allow. 0 on success. */
HEADOPT_CAPI_EXPORTED int
headoptModelExportFile(HeadOptModel *model, const char *path,
                       char **error) HEADOPT_CAPI_NOEXCEPT;

/** Gives the model's bytes in `*bytes`, to be freed with headoptFree(), and
 *  their number in `*size`. `format` is a HeadOptFormat. External data keeps
 *  its place: it is found from the folder that the model came from. 0 on
 *  success; after an error `*bytes` is null and `*size` is 0. */
HEADOPT_CAPI_EXPORTED int
headoptModelExportMemory(HeadOptModel *model, int format, void **bytes,
                         size_t *size, char **error) HEADOPT_CAPI_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* HEADOPT_C_HEADOPT_H */

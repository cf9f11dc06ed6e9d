/* What a compiled module (mod.so) and the runtime promise each other.
 *
 * This header depends on nothing. A module exports exactly one symbol, hone_module_query; everything
 * else is reached through the table that it returns. The table and all it points to are constant and
 * live as long as the module is loaded; any thread may read them.
 *
 * Versioning: a change of any struct below or of its meaning raises HONE_ABI_VERSION. A module built for
 * another version answers NULL and is refused by the runtime with a sentence.
 */
#ifndef HONE_ABI_H
#define HONE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_ABI_VERSION 1u
#define HONE_QUERY_SYMBOL "hone_module_query"

/* Every buffer pointer, the shared scratch and each thread's scratch are aligned to this many bytes, and
 * may be read up to the end of the last such block (never written beyond their declared size). */
#define HONE_ALIGNMENT 64u

/* One phase of a kernel: computes the pieces [begin, end) of its parallel range.
 *
 * buffers: the kernel's arguments in the order of mod.json, then, when shared_scratch_bytes > 0, the
 *          pointer of the kernel's shared scratch.
 * scratch: this thread's scratch, at least scratch_bytes of the phase; NULL if that is 0.
 * Pieces are independent: any split of the range over threads, in any order, gives the same bytes. */
typedef void (*hone_phase_function)(void *const *buffers, int64_t begin, int64_t end, void *scratch);

typedef struct hone_phase {
  hone_phase_function run;
  int64_t extent;        /* size of the parallel range, at least 1 */
  int64_t scratch_bytes; /* scratch per thread, a multiple of HONE_ALIGNMENT, or 0 */
} hone_phase;

/* A kernel: its phases run in order with a barrier between them. */
typedef struct hone_kernel {
  const char *name; /* for profiles and messages */
  const hone_phase *phases;
  int32_t phase_count;
  int32_t buffer_count; /* arguments, without the shared scratch */
  int64_t shared_scratch_bytes;
} hone_kernel;

typedef struct hone_module {
  uint32_t abi_version;
  int32_t kernel_count;
  const hone_kernel *kernels;
} hone_module;

/* Returns the module's table, or NULL when the module was built for another ABI version. */
typedef const hone_module *(*hone_module_query_function)(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif /* HONE_ABI_H */

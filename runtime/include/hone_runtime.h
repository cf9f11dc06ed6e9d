/* hone's runtime: loads compiled models and runs them. This header is all that a C program needs.
 *
 * A context owns the threads, a model is a loaded artifact, a session is the memory of one computation:
 *
 *   hone_context *context;  hone_model *model;  hone_session *session;
 *   hone_context_create(NULL, &context);
 *   hone_model_load("resnet50.tar", 0, &model);
 *   hone_session_create(context, model, &session);
 *   hone_session_set_input(session, 0, image, image_bytes);
 *   hone_session_run(session);
 *   hone_session_get_output(session, 0, &data, &bytes);
 *
 * Threads: contexts and models may be used by any number of threads at once. A session is used by one thread at a
 * time; sessions that share a context or a model may run at once. When a session finds the threads of its context
 * busy with another session, it computes alone in the calling thread.
 *
 * Lifetime: every object is destroyed by whoever created it, in any order: a session keeps what it needs alive.
 * Destroying NULL does nothing. A process that forks after creating a context must not use it in the child.
 *
 * Errors: every function that can fail returns a status; hone_last_error() then has the sentence. No object is
 * changed by a call that failed, except that a failed run leaves the outputs undefined.
 *
 * Trust: an artifact contains native code. What is checked is that it is undamaged and fits this machine, not that
 * it means well: load only what you would execute.
 */
#ifndef HONE_RUNTIME_H
#define HONE_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_API __attribute__((visibility("default")))

/* In C an enum holds any int; C++ has to be told. */
#ifdef __cplusplus
#define HONE_INT_ENUM :int
#else
#define HONE_INT_ENUM
#endif

/* The values are also the exit codes of hone's programs. */
typedef enum hone_status HONE_INT_ENUM {
  HONE_OK = 0,
  HONE_INTERNAL = 1,   /* a defect of hone */
  HONE_USAGE = 2,      /* the call is wrong: an index out of range, an input not set, a wrong size */
  HONE_REFUSED = 3,    /* the artifact is damaged, or not for this machine or version */
  HONE_FAILED = 4,     /* the work failed */
  HONE_UNAVAILABLE = 5 /* a file, memory or threads could not be had */
} hone_status;

/* Element types; the order never changes. */
typedef enum hone_dtype {
  HONE_BOOL,
  HONE_INT8,
  HONE_INT16,
  HONE_INT32,
  HONE_INT64,
  HONE_UINT8,
  HONE_UINT16,
  HONE_UINT32,
  HONE_UINT64,
  HONE_FLOAT16,
  HONE_BFLOAT16,
  HONE_FLOAT32,
  HONE_FLOAT64
} hone_dtype;

typedef struct hone_context hone_context;
typedef struct hone_model hone_model;
typedef struct hone_session hone_session;

/* Dense and row-major. The pointers live as long as the model. Where the sizes of an output depend on data, shape and
 * bytes are the most that they can be: hone_session_get_output_shape tells the true ones after a run. */
typedef struct hone_tensor_info {
  const char *name; /* as in the model that was compiled */
  hone_dtype dtype;
  int32_t rank;
  const int64_t *shape;
  size_t bytes;
} hone_tensor_info;

/* One step of a run. The pointers live as long as the model. */
typedef struct hone_call_info {
  const char *name;
  const char *kernel;
  int64_t flops; /* floating-point operations; 0 when not known */
} hone_call_info;

/* What the compiler expected of one step of a run, by calculation. The pointer lives as long as the model. */
typedef struct hone_call_estimate {
  int64_t cycles;    /* of a core, for one execution */
  const char *limit; /* what is busy longest: "arithmetic", "loads", "L2", "memory", ...; "" where the artifact has no
                        estimate */
  int32_t threads;   /* that it was made for */
  int32_t repeats;   /* nonzero: the step lies in a loop, and a run executes it as often as data says */
} hone_call_estimate;

/* The indices that one operator of the model read from data, along one axis of what it indexed. The pointers live as
 * long as the model. */
typedef struct hone_index_check {
  const char *node; /* the operator's node in the model */
  const char *op;   /* the operator */
  int64_t axis;
  int64_t count;   /* of the indices outside of the axis, in the last run */
  int64_t example; /* the largest of them, if there is any */
  int64_t extent;  /* of the axis: those from -extent to extent - 1 are inside */
} hone_index_check;

typedef struct hone_context_options {
  size_t struct_size; /* sizeof(hone_context_options), so that later versions may add fields */
  int32_t threads;    /* 0: as many as CPU affinity and cgroup quota allow */
  int32_t pin;        /* nonzero: bind the creating thread and the workers to one CPU each */
  int32_t spin_us;    /* how long idle workers spin before they sleep; negative: the default */
} hone_context_options;

enum hone_load_flags {
  /* Copies the parameters into memory of their own, of huge pages where there are any, instead of mapping the file.
   * Costs the time of the copy and memory that processes do not share. */
  HONE_LOAD_COPY_PARAMETERS = 1u
};

/* The sentence of this thread's last failed call; never NULL; valid until the thread's next failed call. */
HONE_API const char *hone_last_error(void);
/* "0.1.0" */
HONE_API const char *hone_version(void);
/* "float32"; NULL for a value that is no element type. */
HONE_API const char *hone_dtype_name(hone_dtype dtype);
/* Bytes of one element; 0 for a value that is no element type. */
HONE_API size_t hone_dtype_size(hone_dtype dtype);

/* ---- contexts. options may be NULL. */
HONE_API hone_status hone_context_create(const hone_context_options *options, hone_context **context);
HONE_API void hone_context_destroy(hone_context *context);
HONE_API int32_t hone_context_threads(const hone_context *context);

/* ---- models. path: the tar file, or a folder with its three members. The file must not be changed while the model
 * is in use. flags: of hone_load_flags. */
HONE_API hone_status hone_model_load(const char *path, uint32_t flags, hone_model **model);
/* The bytes of a tar file; they are not needed after the call. */
HONE_API hone_status hone_model_load_memory(const void *bytes, size_t size, uint32_t flags, hone_model **model);
HONE_API void hone_model_destroy(hone_model *model);
HONE_API const char *hone_model_name(const hone_model *model);
/* The text of mod.json. */
HONE_API const char *hone_model_json(const hone_model *model);
HONE_API int32_t hone_model_input_count(const hone_model *model);
HONE_API int32_t hone_model_output_count(const hone_model *model);
HONE_API int32_t hone_model_call_count(const hone_model *model);
HONE_API hone_status hone_model_input(const hone_model *model, int32_t index, hone_tensor_info *info);
HONE_API hone_status hone_model_output(const hone_model *model, int32_t index, hone_tensor_info *info);
HONE_API hone_status hone_model_call(const hone_model *model, int32_t index, hone_call_info *info);
HONE_API hone_status hone_model_call_estimate(const hone_model *model, int32_t index, hone_call_estimate *estimate);
/* The error names the inputs (outputs) that there are. */
HONE_API hone_status hone_model_find_input(const hone_model *model, const char *name, int32_t *index);
HONE_API hone_status hone_model_find_output(const hone_model *model, const char *name, int32_t *index);
/* The checks of indices that a session can be asked for; negative where the model was compiled without them. */
HONE_API int32_t hone_model_index_check_count(const hone_model *model);
/* Bytes of the arena that each session has, and of the parameters that sessions share. */
HONE_API size_t hone_model_arena_bytes(const hone_model *model);
HONE_API size_t hone_model_parameter_bytes(const hone_model *model);

/* ---- sessions */
HONE_API hone_status hone_session_create(hone_context *context, hone_model *model, hone_session **session);
HONE_API void hone_session_destroy(hone_session *session);
/* Copies the data into the session, where it stays for later runs. */
HONE_API hone_status hone_session_set_input(hone_session *session, int32_t index, const void *data, size_t bytes);
/* Lets runs read the caller's memory, which must outlive them: in place if it is 64-aligned, else by a copy at
 * each run. Reads may touch up to the end of its last block of 64 bytes. */
HONE_API hone_status hone_session_bind_input(hone_session *session, int32_t index, const void *data, size_t bytes);
/* Lets runs write to the caller's memory, in place if it is 64-aligned, else by a copy at the end of each run. NULL
 * and 0 give the output back to the session. */
HONE_API hone_status hone_session_bind_output(hone_session *session, int32_t index, void *data, size_t bytes);
/* Runs the model once. Every input must be set or bound. */
HONE_API hone_status hone_session_run(hone_session *session);
/* The output of the last run; valid until the next run, until an output is bound, or until the session ends. bytes: of
 * its true shape. */
HONE_API hone_status hone_session_get_output(hone_session *session, int32_t index, const void **data, size_t *bytes);
/* The output's shape in the last run, which the data has, dense and row-major; valid as long as those. It is that of
 * hone_model_output unless sizes depend on data. */
HONE_API hone_status hone_session_get_output_shape(hone_session *session, int32_t index, const int64_t **shape,
                                                   int32_t *rank);
/* What the model's check of that index found in the last run. */
HONE_API hone_status hone_session_get_index_check(const hone_session *session, int32_t index, hone_index_check *check);
/* Whether the following runs take the time of every call. */
HONE_API void hone_session_set_profiling(hone_session *session, int32_t enabled);
/* Nanoseconds of each call in the last profiled run; one per call of the model, 0 for those that were left out because
 * a condition in the data did not hold, and all iterations together for those in loops. */
HONE_API hone_status hone_session_get_profile(const hone_session *session, const int64_t **nanoseconds, int32_t *count);

#ifdef __cplusplus
}
#endif

#endif /* HONE_RUNTIME_H */

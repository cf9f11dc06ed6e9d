/* A module whose table is malformed: a phase without a function. */
#include <stddef.h>

#include "abi/hone_abi.h"

static const hone_phase phases[] = {{NULL, 1, 0}};
static const hone_kernel kernels[] = {
    {"scale_add", phases, 1, 3, 0}, {"total", phases, 1, 2, 0}, {"copy", phases, 1, 2, 0}};
static const hone_module module = {HONE_ABI_VERSION, 3, kernels};

__attribute__((visibility("default"))) const hone_module *hone_module_query(uint32_t abi_version) { return &module; }

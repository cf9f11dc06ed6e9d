/* A module of another ABI version: it answers NULL. */
#include <stddef.h>

#include "abi/hone_abi.h"

__attribute__((visibility("default"))) const hone_module *hone_module_query(uint32_t abi_version) { return NULL; }

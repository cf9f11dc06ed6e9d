// Layouts: in which order the elements of every stored value lie.
#pragma once

#include <cstdint>

#include "compiler/plan/program.h"

namespace hone::plan {

/// Creates a plan buffer for every input and stored value. What goes from windows to windows is blocked by at most
/// \p lanes channels, as chooseBlock() says; everything else is row-major. Fills in StoredValue::buffer and
/// PlannedValue::buffer.
void createBuffers(Program &program, int64_t lanes, Plan &plan);

}  // namespace hone::plan

// Schedules that break one rule each, with what legal() says and what would repair them. Pure functions; each kernel
// passes verify().
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/schedule/rules.h"
#include "compiler/tensor/algorithm_rules.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule::testing {

/// The repaired schedule differs in one clause, or is the same for a repaired kernel: so no other rule is broken.
struct LegalCase {
  const char *rule;  ///< its sentence's pattern
  tensor::Kernel kernel;
  std::string lines;  ///< with or without the line of the algorithm; so is `repaired`
  std::string sentence;
  std::string repaired;
  tensor::Kernel repairedKernel = kernel;
};

inline LegalCase breaks(Rule rule, tensor::Kernel kernel, std::string lines, std::string sentence,
                        std::string repaired) {
  return {sentenceOf(rule), std::move(kernel), std::move(lines), std::move(sentence), std::move(repaired)};
}

/// Of stages, vector dims, registers, loops, unrolling, packs, prefetches and stores.
std::vector<LegalCase> loopCases();
std::vector<LegalCase> attachmentCases();
std::vector<LegalCase> algorithmCases();

}  // namespace hone::schedule::testing

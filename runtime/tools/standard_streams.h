// The three descriptors that every program takes for granted. A function without state, for the beginning of main().
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace hone::runtime {

/// Those that the caller has closed become /dev/null: a file that took the number would get what is printed.
inline void openStandardStreams() {
  int descriptor = 0;
  do descriptor = open("/dev/null", O_RDWR);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) close(descriptor);
}

}  // namespace hone::runtime

#include "common/system_error.h"

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace hone {

namespace {

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status systemError(std::string_view what, int error) {
  return absl::UnavailableError(absl::StrCat("cannot ", view(what), ": ", std::strerror(error)));
}

absl::Status fileError(std::string_view what, const std::filesystem::path &file, int error) {
  const std::string sentence = absl::StrCat("cannot ", view(what), " '", file.string(), "': ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    return absl::ResourceExhaustedError(absl::StrCat(sentence, ": free space on this disk"));
  return error == ENOENT ? absl::NotFoundError(sentence) : absl::UnavailableError(sentence);
}

}  // namespace hone

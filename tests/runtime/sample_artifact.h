// An artifact around modules/sample.c, and ways to damage it. Without the compiler and without the artifact library:
// the JSON and the tar are written here, by hand, so that the runtime's reader has a second opinion to agree with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::test {

constexpr int kRows = 1000, kWidth = 16, kElements = kRows * kWidth;

/// The bytes of a module that the build made from modules/NAME.c.
std::string moduleBytes(const std::string &name);
std::string readFile(const std::string &path);
void writeFile(const std::string &path, std::string_view bytes);
/// A new folder that is removed at the end of the process.
std::string temporaryFolder();

/// 16 floats 0, 1, 2, … as mod.params.
std::string sampleParameters();
/// mod.json for sample.c without a digest of its own; see seal(). Inputs "data" [1000,16]; outputs "scaled" [1000,16]
/// and "nested/total" [1].
std::string sampleJson(const std::string &module, const std::string &parameters);
/// The XXH3 of \p bytes, as mod.json has it.
std::string digest(const std::string &bytes);
/// Puts the digest into mod.json.
std::string seal(std::string json);
/// Replaces the first \p from, which must be there, and seals.
std::string edited(std::string json, const std::string &from, const std::string &to);

struct Entry {
  std::string name, bytes;
  char type = '0';
  std::string prefix = {};  ///< ustar's: the folder that lies before the name
};
/// A tar of \p entries.
std::string tarOf(const std::vector<Entry> &entries);

/// All together.
std::string sampleTar();
std::string sampleTar(const std::string &json);

}  // namespace hone::test

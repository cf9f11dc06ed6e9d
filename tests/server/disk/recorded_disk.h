// A disk that forgets what was not synced. Everything that the program does to files below one folder is recorded with
// its order; afterwards the folder can be made again as a power cut at any instant could have left it. Promised is what
// POSIX promises, and no more: a file's bytes and size last after fsync() of the file, a name (made, renamed, removed)
// after fsync() of its folder; of a rename, of the folder that it leads to. What was not synced may be there or not,
// each piece by itself; bytes that are not may be missing or zeros. A call is not torn in pieces. Thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/disk/file_calls.h"

namespace hone::server::testing {

class RecordedDisk : public FileWatcher {
 public:
  /// Records what happens below \p root, which is there; what is in it now is durable.
  explicit RecordedDisk(std::filesystem::path root);

  int64_t around(const FileCall &call, const std::function<int64_t()> &make) override;
  /// Something was promised at this instant: "acknowledged ID".
  void promise(const std::string &text);
  /// Ends the recording; then there are power cuts.
  void stop() { watch_.reset(); }

  /// What a power cut left: a folder, what had been promised, and where it was, for people.
  struct Cut {
    std::filesystem::path folder;
    std::vector<std::string> promises;
    std::string where;
  };
  /// Calls \p look for every different state that a power cut could leave, as far as they are tried: at each instant
  /// everything that was not synced is lost, or kept, or the names are kept and the bytes lost, or the other way round,
  /// or some of it by \p seed. \p look says what is wrong, or nothing. Returns the first complaints.
  std::vector<std::string> replay(unsigned seed, const std::function<std::string(const Cut &)> &look) const;
  /// How many states the last replay() looked at.
  int64_t states() const { return states_; }

 private:
  struct Step {
    enum class Kind : uint8_t { Make, MakeFolder, Link, Rename, Remove, Write, Resize, Sync, Promise };
    Kind kind;
    int node = -1;    // the file or folder that it is about
    int folder = -1;  // that has the name; of a rename, the one that it leads to
    std::string name = {};
    int fromFolder = -1;
    std::string fromName = {};
    int64_t offset = 0;  // Write; the size of Resize
    std::string bytes = {};
    std::string text = {};  // for people; of Promise, what was promised
  };
  struct Node {
    bool isFolder = false;
    std::map<std::string, int> entries = {};
    std::string bytes = {};
  };
  using Tree = std::vector<Node>;
  enum class Fate : uint8_t { Kept, Lost, Zeros };
  using Chance = std::function<Fate(const Step &)>;

  static bool isAboutNames(Step::Kind kind) { return kind <= Step::Kind::Remove; }
  void scan(const std::filesystem::path &folder, int node);
  int newNode(bool isFolder);
  /// The folder of the name, or -1 for what lies elsewhere; then the name itself.
  std::pair<int, std::string> find(const std::string &path) const;
  int nodeOf(const std::string &path) const;
  int nodeOfOpen(int descriptor) const;
  void record(Step step);
  void recordOpen(const FileCall &call, int descriptor, bool wasThere);
  void recordName(const FileCall &call);
  static void apply(const Step &step, Fate fate, Tree &tree);
  Tree treeAt(size_t instant, const Chance &chance) const;
  static void describe(const Tree &tree, int node, std::string &text);
  static void write(const Tree &tree, int node, const std::filesystem::path &folder);

  const std::filesystem::path root_;
  std::mutex mutex_;
  Tree start_;  // as it was
  Tree now_;
  std::map<std::pair<uint64_t, uint64_t>, int> byInode_;
  std::vector<Step> steps_;
  mutable int64_t states_ = 0;
  std::unique_ptr<WatchFiles> watch_;
};

}  // namespace hone::server::testing

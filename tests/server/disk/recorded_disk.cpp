#include "tests/server/disk/recorded_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/server/scratch.h"

namespace hone::server::testing {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostComplaints = 5;
constexpr int kRandomStates = 3;  // at each instant

std::pair<uint64_t, uint64_t> inodeOf(const struct stat &info) { return {info.st_dev, info.st_ino}; }

}  // namespace

RecordedDisk::RecordedDisk(fs::path root) : root_(std::move(root)) {
  newNode(true);
  scan(root_, 0);
  start_ = now_;
  watch_ = std::make_unique<WatchFiles>(*this);
}

void RecordedDisk::scan(const fs::path &folder, int node) {
  struct stat info{};
  EXPECT_EQ(stat(folder.c_str(), &info), 0) << folder;
  byInode_[inodeOf(info)] = node;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder)) {
    const int child = newNode(entry.is_directory());
    now_[static_cast<size_t>(node)].entries[entry.path().filename()] = child;
    if (entry.is_directory()) {
      scan(entry.path(), child);
      continue;
    }
    EXPECT_EQ(stat(entry.path().c_str(), &info), 0) << entry.path();
    byInode_[inodeOf(info)] = child;
    std::ifstream stream(entry.path(), std::ios::binary);
    now_[static_cast<size_t>(child)].bytes = {std::istreambuf_iterator<char>(stream), {}};
  }
}

int RecordedDisk::newNode(bool isFolder) {
  now_.push_back({.isFolder = isFolder});
  return static_cast<int>(now_.size()) - 1;
}

std::pair<int, std::string> RecordedDisk::find(const std::string &path) const {
  const fs::path relative = fs::path(path).lexically_normal().lexically_relative(root_);
  if (relative.empty() || *relative.begin() == "..") return {-1, ""};
  int node = 0;
  std::string name;
  for (const fs::path &part : relative) {
    if (!name.empty()) {
      const auto &entries = now_[static_cast<size_t>(node)].entries;
      const auto found = entries.find(name);
      if (found == entries.end()) return {-1, ""};
      node = found->second;
    }
    name = part.string();
  }
  return {node, name};
}

int RecordedDisk::nodeOf(const std::string &path) const {
  const auto [folder, name] = find(path);
  if (folder < 0) return -1;
  if (name == ".") return folder;
  const auto &entries = now_[static_cast<size_t>(folder)].entries;
  const auto found = entries.find(name);
  return found == entries.end() ? -1 : found->second;
}

int RecordedDisk::nodeOfOpen(int descriptor) const {
  struct stat info{};
  if (fstat(descriptor, &info) != 0) return -1;
  const auto found = byInode_.find(inodeOf(info));
  return found == byInode_.end() ? -1 : found->second;
}

void RecordedDisk::record(Step step) {
  apply(step, Fate::Kept, now_);
  steps_.push_back(std::move(step));
}

void RecordedDisk::promise(const std::string &text) {
  const std::lock_guard lock(mutex_);
  steps_.push_back({.kind = Step::Kind::Promise, .text = text});
}

int64_t RecordedDisk::around(const FileCall &call, const std::function<int64_t()> &make) {
  if (call.kind == FileCall::Kind::Read) return make();
  const std::lock_guard lock(mutex_);
  const bool wasThere = call.kind == FileCall::Kind::Open && nodeOf(call.path) >= 0;
  const int64_t result = make();
  if (result < 0) return result;
  switch (call.kind) {
    case FileCall::Kind::Read:
      break;
    case FileCall::Kind::Open:
      recordOpen(call, static_cast<int>(result), wasThere);
      break;
    case FileCall::Kind::Write:
    case FileCall::Kind::Resize:
    case FileCall::Kind::Sync: {
      const int node = nodeOfOpen(call.descriptor);
      if (node < 0) break;
      if (call.kind == FileCall::Kind::Write) {
        record({.kind = Step::Kind::Write,
                .node = node,
                .offset = call.offset,
                .bytes = std::string(call.bytes.substr(0, static_cast<size_t>(result))),
                .text = absl::StrCat("write ", result, " bytes at ", call.offset, " of ", call.path)});
      } else if (call.kind == FileCall::Kind::Resize) {
        record({.kind = Step::Kind::Resize,
                .node = node,
                .offset = call.size,
                .text = absl::StrCat("resize ", call.path, " to ", call.size)});
      } else {
        record({.kind = Step::Kind::Sync, .node = node, .text = absl::StrCat("sync ", call.path)});
      }
      break;
    }
    case FileCall::Kind::Rename:
    case FileCall::Kind::Remove:
    case FileCall::Kind::Link:
    case FileCall::Kind::MakeFolder:
      recordName(call);
      break;
  }
  return result;
}

void RecordedDisk::recordOpen(const FileCall &call, int descriptor, bool wasThere) {
  const auto [folder, name] = find(call.path);
  if (folder < 0) return;
  if (!wasThere && (call.flags & O_CREAT) != 0) {
    struct stat info{};
    EXPECT_EQ(fstat(descriptor, &info), 0);
    const int node = newNode(false);
    byInode_[inodeOf(info)] = node;
    record({.kind = Step::Kind::Make, .node = node, .folder = folder, .name = name, .text = "make " + call.path});
  } else if ((call.flags & O_TRUNC) != 0 && wasThere) {
    record({.kind = Step::Kind::Resize, .node = nodeOf(call.path), .offset = 0, .text = "empty " + call.path});
  }
}

void RecordedDisk::recordName(const FileCall &call) {
  const auto [folder, name] = find(call.path);
  if (call.kind == FileCall::Kind::MakeFolder) {
    if (folder < 0) return;
    struct stat info{};
    EXPECT_EQ(stat(call.path.c_str(), &info), 0);
    const int node = newNode(true);
    byInode_[inodeOf(info)] = node;
    record({.kind = Step::Kind::MakeFolder, .node = node, .folder = folder, .name = name, .text = "make " + call.path});
    return;
  }
  if (call.kind == FileCall::Kind::Remove) {
    if (folder < 0) return;
    record({.kind = Step::Kind::Remove,
            .node = nodeOf(call.path),
            .folder = folder,
            .name = name,
            .text = "remove " + call.path});
    return;
  }
  const auto [toFolder, toName] = find(call.other);
  if (folder < 0 && toFolder < 0) return;
  if (folder < 0 || toFolder < 0 || nodeOf(call.path) < 0) {
    ADD_FAILURE() << call.path << " -> " << call.other << ": only one of them was seen to be made here";
    return;
  }
  const bool isLink = call.kind == FileCall::Kind::Link;
  record({.kind = isLink ? Step::Kind::Link : Step::Kind::Rename,
          .node = nodeOf(call.path),
          .folder = toFolder,
          .name = toName,
          .fromFolder = folder,
          .fromName = name,
          .text = absl::StrCat(isLink ? "link " : "rename ", call.path, " to ", call.other)});
}

void RecordedDisk::apply(const Step &step, Fate fate, Tree &tree) {
  if (fate == Fate::Lost) return;
  const auto at = [&](int node) -> Node & { return tree[static_cast<size_t>(node)]; };
  switch (step.kind) {
    case Step::Kind::Make:
    case Step::Kind::MakeFolder:
    case Step::Kind::Link:
      at(step.folder).entries[step.name] = step.node;
      break;
    case Step::Kind::Rename: {
      at(step.folder).entries[step.name] = step.node;
      auto &from = at(step.fromFolder).entries;
      if (const auto found = from.find(step.fromName); found != from.end() && found->second == step.node) {
        from.erase(found);
      }
      break;
    }
    case Step::Kind::Remove: {
      auto &entries = at(step.folder).entries;
      if (const auto found = entries.find(step.name); found != entries.end() && found->second == step.node) {
        entries.erase(found);
      }
      break;
    }
    case Step::Kind::Write: {
      std::string &bytes = at(step.node).bytes;
      const auto offset = static_cast<size_t>(step.offset);
      if (bytes.size() < offset + step.bytes.size()) bytes.resize(offset + step.bytes.size());
      if (fate == Fate::Kept) bytes.replace(offset, step.bytes.size(), step.bytes);
      break;
    }
    case Step::Kind::Resize:
      at(step.node).bytes.resize(static_cast<size_t>(step.offset));
      break;
    case Step::Kind::Sync:
    case Step::Kind::Promise:
      break;
  }
}

RecordedDisk::Tree RecordedDisk::treeAt(size_t instant, const Chance &chance) const {
  // Backwards: a step is durable when what it is about is synced after it.
  std::set<int> synced;
  std::vector<bool> isDurable(instant);
  for (size_t i = instant; i-- > 0;) {
    const Step &step = steps_[i];
    if (step.kind == Step::Kind::Sync) synced.insert(step.node);
    isDurable[i] = synced.contains(isAboutNames(step.kind) ? step.folder : step.node);
  }
  Tree tree = start_;
  // What was made since is there with its first name, whichever that is.
  for (size_t i = tree.size(); i < now_.size(); ++i) tree.push_back({.isFolder = now_[i].isFolder});
  for (size_t i = 0; i < instant; ++i) {
    apply(steps_[i], isDurable[i] ? Fate::Kept : chance(steps_[i]), tree);
  }
  return tree;
}

void RecordedDisk::describe(const Tree &tree, int node, std::string &text) {
  const Node &it = tree[static_cast<size_t>(node)];
  if (!it.isFolder) {
    absl::StrAppend(&text, it.bytes.size(), ":", it.bytes);
    return;
  }
  for (const auto &[name, child] : it.entries) {
    absl::StrAppend(&text, name, "(");
    describe(tree, child, text);
    absl::StrAppend(&text, ")");
  }
}

void RecordedDisk::write(const Tree &tree, int node, const fs::path &folder) {
  for (const auto &[name, child] : tree[static_cast<size_t>(node)].entries) {
    const Node &it = tree[static_cast<size_t>(child)];
    if (it.isFolder) {
      fs::create_directory(folder / name);
      write(tree, child, folder / name);
    } else {
      std::ofstream(folder / name, std::ios::binary).write(it.bytes.data(), static_cast<int64_t>(it.bytes.size()));
    }
  }
}

std::vector<std::string> RecordedDisk::replay(unsigned seed,
                                              const std::function<std::string(const Cut &)> &look) const {
  std::mt19937 random(seed);
  const auto names = [](const Step &step) { return isAboutNames(step.kind); };
  std::vector<std::pair<std::string, Chance>> chances = {
      {"all is lost", [](const Step &) { return Fate::Lost; }},
      {"nothing is lost", [](const Step &) { return Fate::Kept; }},
      {"bytes are lost", [&](const Step &step) { return names(step) ? Fate::Kept : Fate::Lost; }},
      {"bytes are zeros", [&](const Step &step) { return names(step) ? Fate::Kept : Fate::Zeros; }},
      {"names are lost", [&](const Step &step) { return names(step) ? Fate::Lost : Fate::Kept; }},
  };
  for (int i = 0; i < kRandomStates; ++i) {
    chances.emplace_back("some is lost", [&](const Step &) { return static_cast<Fate>(random() % 3); });
  }
  std::vector<std::string> complaints;
  std::set<size_t> seen;
  std::vector<std::string> promises;
  states_ = 0;
  for (size_t instant = 0; instant <= steps_.size(); ++instant) {
    if (instant > 0 && steps_[instant - 1].kind == Step::Kind::Promise) promises.push_back(steps_[instant - 1].text);
    for (const auto &[name, chance] : chances) {
      const Tree tree = treeAt(instant, chance);
      std::string text = absl::StrCat(promises.size(), ";");
      describe(tree, 0, text);
      if (!seen.insert(std::hash<std::string>()(text)).second) continue;
      ++states_;
      const Scratch scratch = Scratch::inMemory();
      write(tree, 0, scratch.path());
      const std::string where =
          absl::StrCat(name, " after step ", instant, instant > 0 ? " (" + steps_[instant - 1].text + ")" : "");
      const std::string complaint = look({scratch.path(), promises, where});
      if (complaint.empty()) continue;
      complaints.push_back(absl::StrCat(where, ": ", complaint));
      if (complaints.size() == kMostComplaints) return complaints;
    }
  }
  return complaints;
}

}  // namespace hone::server::testing

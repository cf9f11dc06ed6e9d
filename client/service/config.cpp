#include "client/service/config.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/input_file.h"
#include "client/output_file.h"
#include "client/service/folders.h"
#include "common/file_lock.h"
#include "text/printable.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

absl::Status damaged(const fs::path &path, std::string_view what) {
  return absl::DataLossError(absl::StrCat("cannot understand '", path.string(), "': ", std::string(what),
                                          "; mend it, or remove it and add the contexts again"));
}

std::string textAt(const nlohmann::json &object, const char *key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
}

absl::StatusOr<Config> parse(const std::string &text, const fs::path &path) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return damaged(path, "it is no JSON object");
  Config config;
  config.current = textAt(json, "current");
  const nlohmann::json contexts = json.value("contexts", nlohmann::json::object());
  if (!contexts.is_object()) return damaged(path, "\"contexts\" is no object");
  for (const auto &[name, entry] : contexts.items()) {
    if (!entry.is_object() || textAt(entry, "server").empty())
      return damaged(path, absl::StrCat("context '", name, "' has no \"server\""));
    config.contexts[name] = {textAt(entry, "server"), textAt(entry, "user")};
  }
  if (!config.current.empty() && !config.contexts.contains(config.current))
    return damaged(path, absl::StrCat("its current context '", config.current, "' does not exist"));
  return config;
}

std::string print(const Config &config) {
  nlohmann::ordered_json json;
  if (!config.current.empty()) json["current"] = config.current;
  json["contexts"] = nlohmann::ordered_json::object();
  for (const auto &[name, context] : config.contexts) {
    json["contexts"][name]["server"] = context.server;
    if (!context.user.empty()) json["contexts"][name]["user"] = context.user;
  }
  return json.dump(2) + "\n";
}

}  // namespace

absl::StatusOr<fs::path> configPath() {
  auto folder = configFolder();
  if (!folder.ok()) return folder.status();
  return *folder / "config.json";
}

absl::StatusOr<Config> loadConfig() {
  auto path = configPath();
  if (!path.ok()) return Config{};  // without a home there is nothing to have been configured
  std::error_code error;
  if (!fs::exists(*path, error)) return Config{};
  auto text = readWholeFile(*path);
  if (!text.ok()) return absl::UnavailableError(text.status().message());
  return parse(*text, *path);
}

absl::Status changeConfig(const std::function<absl::Status(Config &)> &change) {
  auto path = configPath();
  if (!path.ok()) return path.status();
  if (absl::Status made = makeFolder(path->parent_path()); !made.ok()) return made;
  auto lock = FileLock::wait(path->parent_path() / "config.lock");
  if (!lock.ok()) return lock.status();
  auto config = loadConfig();
  if (!config.ok()) return config.status();
  if (absl::Status changed = change(*config); !changed.ok()) return changed;
  for (const auto &[name, context] : config->contexts)
    for (const std::string &word : {name, context.server, context.user})
      if (!text::isUtf8(word))
        return absl::InvalidArgumentError(absl::StrCat("'", word, "' is not UTF-8, which contexts are kept in"));
  return writeWholeFile(*path, print(*config));
}

std::string namesOfContexts(const Config &config) {
  if (config.contexts.empty()) return "; there are no contexts, `hone context add NAME HOST:PORT` makes one";
  return absl::StrCat("; contexts are ", absl::StrJoin(config.contexts, ", ", [](std::string *out, const auto &entry) {
                        absl::StrAppend(out, entry.first);
                      }));
}

}  // namespace hone::client

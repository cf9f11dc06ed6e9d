#include "client/crash_report.h"

#include <google/protobuf/text_format.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/output_file.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> stateFolders() {
  std::vector<fs::path> folders;
  if (const char *state = getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') folders.push_back(state);
  if (const char *home = getenv("HOME"); home != nullptr && *home == '/')
    folders.push_back(fs::path(home) / ".local/state");
  std::error_code error;
  if (fs::path temporary = fs::temp_directory_path(error); !error) folders.push_back(temporary);
  return folders;
}

// A new folder that only its owner may enter (models may be secret), or an empty path.
fs::path newFolder() {
  char date[32];
  const time_t now = time(nullptr);
  tm local{};
  localtime_r(&now, &local);
  strftime(date, sizeof date, "%Y%m%d-%H%M%S", &local);
  for (const fs::path &base : stateFolders()) {
    std::error_code error;
    fs::create_directories(base / "hone", error);
    std::string pattern = (base / "hone" / absl::StrCat("defect-", date, "-XXXXXX")).string();
    if (mkdtemp(pattern.data()) != nullptr) return pattern;
  }
  return {};
}

absl::Status copyInput(int input, const fs::path &path) {
  auto file = OutputFile::create(path);
  if (!file.ok()) return file.status();
  off_t offset = 0;
  while (sendfile(file->descriptor(), input, &offset, 1 << 30) > 0) continue;
  return file->commit();
}

// "the model and command are in F/…, the log is F/worker.log", or why there is none.
std::string save(const Request &request, const WorkerEnd &end) {
  const fs::path folder = newFolder();
  if (folder.empty()) return "a reproducer could not be saved: no folder can be written";
  std::string options;
  google::protobuf::TextFormat::PrintToString(request.work, &options);
  const std::string command = absl::StrJoin(
      request.command, " ", [](std::string *out, const std::string &word) { absl::StrAppend(out, "'", word, "'"); });
  absl::Status saved = writeWholeFile(folder / "worker.log", end.log);
  saved.Update(writeWholeFile(folder / "work.textproto", options));
  saved.Update(writeWholeFile(folder / "command", command + "\n"));
  if (request.files.input >= 0) saved.Update(copyInput(request.files.input, folder / "input"));
  if (!saved.ok()) return absl::StrCat("a reproducer could not be saved: ", saved.message());
  return absl::StrCat("log: ", (folder / "worker.log").string(), ", reproducer: ", folder.string());
}

}  // namespace

absl::Status explainDeath(const Request &request, const WorkerEnd &end) {
  const std::string prefix = request.subject.empty() ? "" : absl::StrCat(request.subject, ": ");
  if (end.result.has_value())
    return absl::InternalError(
        absl::StrCat(prefix, end.result->sentence(), "; this is a defect of hone (", save(request, end), ")"));
  const std::string where = end.phase.empty() ? "" : absl::StrCat(" in phase ", end.phase);
  if (WIFSIGNALED(end.waitStatus)) {
    const int signal = WTERMSIG(end.waitStatus);
    if (signal == SIGXCPU)
      return absl::ResourceExhaustedError(
          absl::StrCat(prefix, "given up after ", request.work.limits().cpu_seconds(), " seconds of CPU time", where));
    if (signal == SIGKILL)
      return absl::ResourceExhaustedError(
          absl::StrCat(prefix, "hone-worker was killed", where, ", perhaps because memory ran out"));
    return absl::InternalError(absl::StrCat(prefix, "hone-worker crashed", where, " (signal ", signal, ", ",
                                            strsignal(signal), "); this is a defect of hone (", save(request, end),
                                            ")"));
  }
  return absl::InternalError(absl::StrCat(prefix, "hone-worker ended without a result", where, " (status ",
                                          WEXITSTATUS(end.waitStatus), "); this is a defect of hone (",
                                          save(request, end), ")"));
}

}  // namespace hone::client

#include "client/compile_job.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/crash_report.h"
#include "client/data_file.h"
#include "client/data_locations.h"
#include "client/service/job_follow.h"
#include "client/service/job_run.h"

namespace hone::client {

namespace {

absl::StatusOr<std::vector<std::string>> locationsIn(const InputFile &model) {
  // Reading from a descriptor moves its position, which others may count on.
  if (lseek(model.descriptor(), 0, SEEK_SET) < 0)
    return absl::UnavailableError(absl::StrCat("cannot read the model: ", strerror(errno)));
  google::protobuf::io::FileInputStream stream(model.descriptor());
  auto locations = dataLocations(stream);
  lseek(model.descriptor(), 0, SEEK_SET);
  return locations;
}

// What comes through a pipe or a descriptor lies nowhere.
bool hasNoFolder(const std::string &path) {
  std::error_code ignored;
  const std::string place = std::filesystem::absolute(path, ignored).lexically_normal().string();
  return absl::StartsWith(place, "/dev/") || absl::StartsWith(place, "/proc/");
}

// The error with the name of the model before it, as of all that is said of one; what else it carries stays.
absl::Status about(const std::string &model, const absl::Status &status) {
  absl::Status named(status.code(), absl::StrCat(model, ": ", status.message()));
  status.ForEachPayload(
      [&named](absl::string_view type, const absl::Cord &payload) { named.SetPayload(type, payload); });
  return named;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> dataFilePaths(const std::string &path, const InputFile &model) {
  const auto locations = locationsIn(model);
  if (!locations.ok()) return about(path, locations.status());
  std::vector<std::string> paths;
  for (const std::string &location : *locations)
    paths.push_back((std::filesystem::path(path).parent_path() / location).string());
  return paths;
}

absl::Status CompileJob::bringDataFiles(Transfer &transfer, v1::CompileJob &job) const {
  const auto locations = locationsIn(model);
  if (!locations.ok()) return locations.status();
  if (!locations->empty() && hasNoFolder(path))
    return absl::DataLossError(
        absl::StrCat("its data are in other files ('", locations->front(),
                     "'), which are looked for beside it, and it came without a folder; compile it by its path"));
  for (const std::string &location : *locations) {
    auto file = openDataFile(std::filesystem::path(path).parent_path(), location);
    if (!file.ok()) return file.status();
    auto digest = transfer.put(file->descriptor());
    if (!digest.ok()) return digest.status();
    v1::DataBlob &blob = *job.add_data_files();
    blob.set_location(location);
    *blob.mutable_digest() = *std::move(digest);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::JobSpec> CompileJob::specify(Transfer &transfer) const {
  auto digest = transfer.put(model.descriptor(), path);
  if (!digest.ok()) return digest.status();
  v1::JobSpec spec;
  v1::CompileJob &job = *spec.mutable_compile();
  *job.mutable_model() = *std::move(digest);
  *job.mutable_options() = options;
  job.set_skip_cache(skipCache);
  if (absl::Status brought = bringDataFiles(transfer, job); !brought.ok()) return about(path, brought);
  return spec;
}

absl::Status CompileJob::explain(const v1::Job &job, Connection &connection) const {
  if (job.result().result().outcome() != v1::Result::DEFECT) return endOf(job, path);
  Request request{{}, {.input = model.descriptor()}, path, commandLine};
  *request.work.mutable_compile() = options;
  return explainDeath(request, {job.result().result(), 0, "", lastLog(connection, job.id())});
}

}  // namespace hone::client

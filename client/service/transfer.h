// Files to and from a coordinator: what it has is not sent again, what broke off goes on where it was, what arrives is
// checked. Files of the private coordinator travel by their paths. Used from one thread; outlived by what it is given.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/output_file.h"
#include "client/progress.h"
#include "client/service/connection.h"
#include "client/service/digest.h"
#include "hone/v1/blobs.pb.h"

namespace hone::client {

class Transfer {
 public:
  Transfer(Connection &connection, ProgressLine &progress);

  /// The server has the open file (named \p path) after this. CANCELLED after Ctrl-C: the same again goes on. A file
  /// whose digest is remembered is taken to be there, as it mostly is: who names the digest hears if it is not, and
  /// calls doubt().
  absl::StatusOr<v1::Digest> put(int descriptor, const std::filesystem::path &path);

  /// The same of a file whose path is not to be followed again: another may lie there by now.
  absl::StatusOr<v1::Digest> put(int descriptor);

  /// From now on put() asks the server. False: it has done so already.
  bool doubt() { return std::exchange(isTrusting_, false); }

  /// Writes the blob to \p output, whole and right, or fails.
  absl::Status get(const v1::Digest &digest, OutputFile &output);

 private:
  absl::StatusOr<bool> isMissing(const v1::Digest &digest);
  /// What is remembered of the file, if the server has it.
  absl::StatusOr<std::optional<v1::Digest>> knownToServer(int descriptor);
  absl::StatusOr<v1::Digest> import(int descriptor, const std::filesystem::path &path);
  absl::StatusOr<v1::Digest> stage(int descriptor);
  absl::StatusOr<v1::Digest> uploadMissing(int descriptor);
  absl::Status checkSize(int64_t bytes) const;
  absl::Status upload(int descriptor, const v1::Digest &digest);
  absl::StatusOr<v1::QueryUploadResponse> committed(const v1::Digest &digest, const std::string &uploadId);
  grpc::Status send(grpc::ClientContext &context, int descriptor, const v1::UploadHeader &header);
  absl::Status download(const v1::Digest &digest, OutputFile &output);
  absl::Status copy(const v1::Digest &digest, OutputFile &output);
  void show(const char *what, int64_t done, int64_t total);

  Connection &connection_;
  ProgressLine &progress_;
  DigestCache digests_;
  bool isTrusting_ = true;
};

}  // namespace hone::client

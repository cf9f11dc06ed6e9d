// A BlobFolder that passes everything on to another: tests replace what they want to be otherwise. As thread-safe as
// the folder behind it; does not own that.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "server/store/blob_folder.h"

namespace hone::server::testing {

class PassingBlobs : public BlobFolder {
 public:
  explicit PassingBlobs(BlobFolder *blobs) : blobs_(blobs) {}
  absl::StatusOr<std::unique_ptr<Writer>> write(const v1::Digest &digest, const std::string &id, int64_t at) override {
    return blobs_->write(digest, id, at);
  }
  int64_t resumable(const v1::Digest &digest, const std::string &id) const override {
    return blobs_->resumable(digest, id);
  }
  bool has(const v1::Digest &digest) const override { return blobs_->has(digest); }
  absl::Status verify(const v1::Digest &digest) override { return blobs_->verify(digest); }
  absl::StatusOr<std::filesystem::path> locate(const v1::Digest &digest) override { return blobs_->locate(digest); }
  absl::StatusOr<v1::Digest> import(const std::filesystem::path &file) override { return blobs_->import(file); }
  std::filesystem::path stagingFolder() const override { return blobs_->stagingFolder(); }
  absl::Status remove(const v1::Digest &digest) override { return blobs_->remove(digest); }
  int64_t sweepUploads(int64_t seconds) override { return blobs_->sweepUploads(seconds); }
  int64_t freeBytes() const override { return blobs_->freeBytes(); }
  int64_t reserveBytes() const override { return blobs_->reserveBytes(); }

 private:
  BlobFolder *blobs_;
};

}  // namespace hone::server::testing

#include "server/store/blob_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/name.h"
#include "server/store/blob_files.h"

namespace hone::server {
namespace {

namespace fs = std::filesystem;

// The free space is looked at again after so many bytes of an upload.
constexpr int64_t kSpaceStep = int64_t{8} << 20;

absl::Status checkUploadId(const std::string &id) {
  if (isName(id, "-")) return absl::OkStatus();
  return absl::InvalidArgumentError("an upload id has 1 to 64 letters, digits and dashes");
}

class UploadWriter : public BlobFolder::Writer {
 public:
  UploadWriter(BlobFiles &files, v1::Digest digest, std::string name, Descriptor file, HashedPart part)
      : files_(files),
        digest_(std::move(digest)),
        name_(std::move(name)),
        path_(files.uploads() / name_),
        file_(std::move(file)),
        part_(std::move(part)) {}

  ~UploadWriter() override {
    if (isOver_) return;
    files_.letGo(name_, std::move(part_));
  }

  int64_t written() const override { return part_.bytes; }

  absl::Status append(std::string_view bytes) override {
    if (isOver_) return over();
    const auto size = static_cast<int64_t>(bytes.size());
    if (size > digest_.size_bytes() - part_.bytes) {
      discard();
      return absl::InvalidArgumentError(absl::StrCat("the upload is longer than the ", digest_.size_bytes(),
                                                     " bytes that its digest says: nothing of it was kept"));
    }
    if (unchecked_ += size; unchecked_ >= kSpaceStep) {
      unchecked_ = 0;
      if (absl::Status status = files_.checkSpace(size); !status.ok()) return status;
    }
    files_.failpoints().pass("blob.write.before");
    if (absl::Status status = writeAll(file_, bytes, path_); !status.ok()) {
      // What was not hashed must not be there when the upload goes on.
      if (ftruncate(file_.get(), part_.bytes) != 0 || lseek(file_.get(), part_.bytes, SEEK_SET) < 0) discard();
      return status;
    }
    part_.hash.append(bytes);
    part_.bytes += size;
    return absl::OkStatus();
  }

  absl::Status finish() override {
    if (isOver_) return over();
    const std::string found = part_.hash.finishAsHex();
    if (part_.bytes != digest_.size_bytes() || found != digest_.sha256()) {
      discard();
      return absl::InvalidArgumentError(absl::StrCat("the upload has ", part_.bytes, " bytes with the SHA-256 ", found,
                                                     ", and its digest says ", digest_.size_bytes(), " bytes with ",
                                                     digest_.sha256(), ": nothing of it was kept"));
    }
    absl::Status status = files_.publish(file_, path_, digest_);
    // A failure leaves the bytes; the state of the hash is used up, so that they are hashed again.
    files_.letGo(name_, std::nullopt);
    isOver_ = true;
    return status;
  }

 private:
  static absl::Status over() { return absl::FailedPreconditionError("this upload has ended"); }

  void discard() {
    unlink(path_.c_str());
    files_.letGo(name_, std::nullopt);
    isOver_ = true;
  }

  BlobFiles &files_;
  const v1::Digest digest_;
  const std::string name_;
  const fs::path path_;
  Descriptor file_;
  HashedPart part_;
  int64_t unchecked_ = 0;
  bool isOver_ = false;
};

class DiskBlobFolder : public BlobFolder {
 public:
  DiskBlobFolder(const Options &options, Failpoints &failpoints)
      : files_(options.root, options.reserveBytes, failpoints) {}

  absl::Status makeAll() { return files_.makeAll(); }

  absl::StatusOr<std::unique_ptr<Writer>> write(const v1::Digest &digest, const std::string &uploadId,
                                                int64_t offset) override;
  int64_t resumable(const v1::Digest &digest, const std::string &uploadId) const override;
  bool has(const v1::Digest &digest) const override;
  absl::Status verify(const v1::Digest &digest) override {
    if (absl::Status status = checkDigest(digest); !status.ok()) return status;
    return files_.verify(digest);
  }
  absl::StatusOr<fs::path> locate(const v1::Digest &digest) override {
    if (absl::Status status = verify(digest); !status.ok()) return status;
    return files_.blob(digest.sha256());
  }
  absl::StatusOr<v1::Digest> import(const fs::path &file) override;
  fs::path stagingFolder() const override { return files_.staging(); }
  absl::Status remove(const v1::Digest &digest) override {
    if (absl::Status status = checkDigest(digest); !status.ok()) return status;
    return files_.remove(digest);
  }
  int64_t sweepUploads(int64_t seconds) override;
  int64_t freeBytes() const override { return server::freeBytes(files_.root()); }
  int64_t reserveBytes() const override { return files_.reserveBytes(); }

 private:
  /// Hashes the open \p file and makes it the blob; \p name goes in any case.
  absl::StatusOr<v1::Digest> adopt(const Descriptor &file, const fs::path &name, const v1::Digest &digest);
  absl::StatusOr<v1::Digest> move(const Descriptor &file, const fs::path &name);
  absl::StatusOr<v1::Digest> copy(const Descriptor &file, const fs::path &name);
  bool isStaged(const fs::path &file) const;
  static std::string uploadName(const v1::Digest &digest, const std::string &uploadId) {
    return absl::StrCat(digest.sha256(), "-", digest.size_bytes(), "-", uploadId);
  }

  BlobFiles files_;
};

/// Opens what is to be imported: a file, never a pipe that would block.
absl::StatusOr<Descriptor> openFile(const fs::path &file, int flags) {
  absl::StatusOr<Descriptor> opened = Descriptor::open(file, O_RDONLY | O_NONBLOCK | flags);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<struct stat> info = statusOf(*opened, file);
  if (!info.ok()) return info.status();
  if (!S_ISREG(info->st_mode)) return absl::InvalidArgumentError(absl::StrCat("'", file.string(), "' is no file"));
  return opened;
}

absl::StatusOr<std::unique_ptr<BlobFolder::Writer>> DiskBlobFolder::write(const v1::Digest &digest,
                                                                          const std::string &uploadId, int64_t offset) {
  absl::Status status = checkDigest(digest);
  if (status.ok()) status = checkUploadId(uploadId);
  if (!status.ok()) return status;
  if (has(digest) && files_.verify(digest).ok()) {
    return absl::AlreadyExistsError(absl::StrCat("the blob ", digest.sha256(), " is there already"));
  }
  const std::string name = uploadName(digest, uploadId);
  if (!files_.take(name)) {
    return absl::AbortedError(absl::StrCat("the upload '", uploadId, "' of the blob ", digest.sha256(),
                                           " is going on already: wait until it has ended, or use another upload id"));
  }
  const auto fail = [&](absl::Status why) {
    files_.letGo(name, std::nullopt);
    return why;
  };
  const fs::path path = files_.uploads() / name;
  absl::StatusOr<Descriptor> file =
      Descriptor::open(path, O_RDWR | O_NOFOLLOW | (offset == 0 ? O_CREAT | O_TRUNC : 0), 0600);
  if (!file.ok() && !absl::IsNotFound(file.status())) return fail(file.status());
  int64_t there = 0;
  if (file.ok()) {
    absl::StatusOr<struct stat> info = statusOf(*file, path);
    if (!info.ok()) return fail(info.status());
    there = info->st_size;
  }
  if (offset != there) {
    return fail(absl::InvalidArgumentError(absl::StrCat("the upload has ", there, " bytes, and ", offset,
                                                        " cannot be where it goes on: ask with QueryUpload")));
  }
  if (status = files_.checkSpace(digest.size_bytes() - offset); !status.ok()) return fail(status);
  HashedPart part;
  std::optional<Sha256> known = files_.resume(name, offset);
  if (offset > 0 && !known) {
    if (status = hashRest(*file, path, part.hash, part.bytes); !status.ok()) return fail(status);
  } else if (offset > 0) {
    part.hash = *std::move(known);
  }
  part.bytes = offset;
  if (lseek(file->get(), offset, SEEK_SET) < 0) return fail(fileError("go on in", path, errno));
  return std::make_unique<UploadWriter>(files_, digest, name, *std::move(file), std::move(part));
}

int64_t DiskBlobFolder::resumable(const v1::Digest &digest, const std::string &uploadId) const {
  if (!checkDigest(digest).ok() || !checkUploadId(uploadId).ok()) return 0;
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::file_size(files_.uploads() / uploadName(digest, uploadId), error));
  return error ? 0 : size;
}

bool DiskBlobFolder::has(const v1::Digest &digest) const {
  if (!checkDigest(digest).ok()) return false;
  struct stat info{};
  return lstat(files_.blob(digest.sha256()).c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         info.st_size == digest.size_bytes();
}

bool DiskBlobFolder::isStaged(const fs::path &file) const {
  std::error_code error;
  const fs::path parent = fs::canonical(file.parent_path(), error);
  return !error && parent == fs::canonical(files_.staging(), error);
}

absl::StatusOr<v1::Digest> DiskBlobFolder::import(const fs::path &file) {
  if (!file.is_absolute()) {
    return absl::InvalidArgumentError(absl::StrCat("'", file.string(), "' is no absolute path"));
  }
  const bool isStaged = this->isStaged(file);
  absl::StatusOr<Descriptor> opened = openFile(file, isStaged ? O_NOFOLLOW : 0);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<struct stat> info = statusOf(*opened, file);
  if (!info.ok()) return info.status();
  // A file with a second name could be written under that.
  if (isStaged && info->st_nlink == 1) return move(*opened, file);
  if (absl::Status status = files_.checkSpace(info->st_size); !status.ok()) return status;
  return copy(*opened, file);
}

absl::StatusOr<v1::Digest> DiskBlobFolder::move(const Descriptor &file, const fs::path &name) {
  Sha256 hash;
  int64_t bytes = 0;
  if (absl::Status status = hashRest(file, name, hash, bytes); !status.ok()) return status;
  v1::Digest digest;
  digest.set_sha256(hash.finishAsHex());
  digest.set_size_bytes(bytes);
  return adopt(file, name, digest);
}

absl::StatusOr<v1::Digest> DiskBlobFolder::copy(const Descriptor &file, const fs::path &name) {
  std::string path = (files_.uploads() / "import-XXXXXX").string();
  const Descriptor target(mkostemp(path.data(), O_CLOEXEC));
  if (target.get() < 0) return fileError("make", path, errno);
  files_.failpoints().pass("blob.write.before");
  absl::StatusOr<v1::Digest> digest = copyAndHash(file, target, name);
  if (digest.ok()) digest = adopt(target, path, *digest);
  if (!digest.ok()) unlink(path.c_str());
  return digest;
}

absl::StatusOr<v1::Digest> DiskBlobFolder::adopt(const Descriptor &file, const fs::path &name,
                                                 const v1::Digest &digest) {
  if (has(digest) && files_.verify(digest).ok()) {
    unlink(name.c_str());
    return digest;
  }
  if (absl::Status status = files_.publish(file, name, digest); !status.ok()) return status;
  return digest;
}

int64_t DiskBlobFolder::sweepUploads(int64_t seconds) {
  int64_t swept = 0;
  std::error_code error;
  const fs::file_time_type oldest = fs::file_time_type::clock::now() - std::chrono::seconds(seconds);
  for (const fs::path &folder : {files_.uploads(), files_.staging()}) {
    for (const fs::directory_entry &entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      const fs::file_time_type touched = entry.last_write_time(error);
      if (error || touched > oldest || !files_.take(name)) continue;
      if (unlink(entry.path().c_str()) == 0) ++swept;
      files_.letGo(name, std::nullopt);
      files_.forget(name);
    }
  }
  return swept;
}

}  // namespace

absl::Status checkDigest(const v1::Digest &digest) {
  const bool isHex =
      std::ranges::all_of(digest.sha256(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!isHex || digest.sha256().size() != 64) {
    return absl::InvalidArgumentError("a digest's sha256 has 64 lower-case hexadecimal digits");
  }
  if (digest.size_bytes() < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a digest's size is at least 0, not ", digest.size_bytes()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlobFolder>> BlobFolder::open(Options options, Failpoints &failpoints) {
  auto folder = std::make_unique<DiskBlobFolder>(options, failpoints);
  if (absl::Status status = folder->makeAll(); !status.ok()) {
    return absl::Status(absl::IsNotFound(status) ? absl::StatusCode::kUnavailable : status.code(), status.message());
  }
  return folder;
}

}  // namespace hone::server

#include "server/rpc/blobs_service.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"
#include "server/rpc/download.h"
#include "server/rpc/unary.h"
#include "server/rpc/upload.h"

namespace hone::server {

namespace {

absl::Status onlyPrivate(const Site &site) {
  if (site.isPrivate()) return absl::OkStatus();
  return withDetail(absl::UnimplementedError("files travel by path to the private coordinator only; use Upload and "
                                             "Download here"),
                    "NOT_PRIVATE");
}

bool isSame(const v1::Digest &left, const v1::Digest &right) {
  return left.sha256() == right.sha256() && left.size_bytes() == right.size_bytes();
}

std::string nameOf(const v1::Digest &digest) { return absl::StrCat(digest.sha256(), "-", digest.size_bytes()); }

/// Which of \p digests are there and stay for the grace period, by nameOf(). The engine is told before they are: what
/// it does not remove then, it does not remove soon. \p done is called on a thread for reading.
void findPresent(Site &site, const std::vector<v1::Digest> &digests, Callback<std::set<std::string>> done) {
  site.reads.run([&site, digests, done = std::move(done)] {
    std::vector<BlobRow> rows;
    for (const v1::Digest &digest : digests) {
      absl::StatusOr<std::optional<BlobRow>> row = site.store->blob(digest);
      if (!row.ok()) return done(row.status());
      if (row->has_value()) rows.push_back(**std::move(row));
    }
    if (rows.empty()) return done(std::set<std::string>());
    site.engine->blobsSeen(rows, [&site, rows, done](const absl::StatusOr<std::vector<v1::Digest>> &doomed) {
      site.reads.run([&site, rows, doomed, done] {
        if (!doomed.ok()) return done(doomed.status());
        std::set<std::string> present;
        // Only now: files go before their rows.
        for (const BlobRow &row : rows) {
          if (site.blobs->has(row.digest)) present.insert(nameOf(row.digest));
        }
        for (const v1::Digest &digest : *doomed) present.erase(nameOf(digest));
        done(std::move(present));
      });
    });
  });
}

void import(Site &site, std::shared_ptr<Unary<v1::ImportResponse>> call, const v1::ImportRequest &request) {
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(request.path(), error));
  if (error)
    return call->finish(absl::NotFoundError(absl::StrCat("cannot read '", request.path(), "': ", error.message())));
  if (size > site.limits.maxBlobBytes)
    return call->finish(withDetail(
        absl::ResourceExhaustedError(absl::StrCat("'", request.path(), "' has ", size,
                                                  " bytes, and a blob has at most ", site.limits.maxBlobBytes)),
        "TOO_LARGE"));
  const auto digest = site.blobs->import(request.path());
  if (!digest.ok()) return call->finish(digest.status());
  call->call.setBlob(*digest);
  if (request.has_expected() && !isSame(request.expected(), *digest))
    return call->finish(
        withDetail(absl::InvalidArgumentError(absl::StrCat("'", request.path(), "' is ", digest->sha256(), ", ",
                                                           digest->size_bytes(), " bytes, and not what was expected")),
                   "WRONG_DIGEST"));
  site.traffic.blobBytesWritten(size);
  site.engine->blobStored(call->call.user(), *digest, [call](absl::StatusOr<v1::Digest> stored) {
    if (!stored.ok()) return call->finish(stored.status());
    v1::ImportResponse response;
    *response.mutable_digest() = *std::move(stored);
    call->finish(response);
  });
}

}  // namespace

grpc::ServerUnaryReactor *BlobsService::FindMissing(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                                    grpc::ByteBuffer *out) {
  return serve<v1::FindMissingRequest, v1::FindMissingResponse>(
      site_, context, in, out, "Blobs.FindMissing", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::FindMissingResponse>> call, v1::FindMissingRequest request) {
        std::vector<v1::Digest> digests(request.digests().begin(), request.digests().end());
        findPresent(site_, digests,
                    [call = std::move(call), digests](const absl::StatusOr<std::set<std::string>> &present) {
                      if (!present.ok()) return call->finish(present.status());
                      v1::FindMissingResponse response;
                      for (const v1::Digest &digest : digests) {
                        if (!present->contains(nameOf(digest))) *response.add_missing() = digest;
                      }
                      call->finish(response);
                    });
      });
}

grpc::ServerReadReactor<grpc::ByteBuffer> *BlobsService::Upload(grpc::CallbackServerContext *context,
                                                                grpc::ByteBuffer *out) {
  return server::Upload::start(site_, context, out);
}

grpc::ServerUnaryReactor *BlobsService::QueryUpload(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                                    grpc::ByteBuffer *out) {
  return serve<v1::QueryUploadRequest, v1::QueryUploadResponse>(
      site_, context, in, out, "Blobs.QueryUpload", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::QueryUploadResponse>> call, v1::QueryUploadRequest request) {
        const v1::Digest digest = request.digest();
        findPresent(site_, {digest},
                    [this, call = std::move(call),
                     request = std::move(request)](const absl::StatusOr<std::set<std::string>> &present) {
                      if (!present.ok()) return call->finish(present.status());
                      v1::QueryUploadResponse response;
                      response.set_complete(!present->empty());
                      response.set_committed_bytes(response.complete()
                                                       ? request.digest().size_bytes()
                                                       : site_.blobs->resumable(request.digest(), request.upload_id()));
                      call->finish(response);
                    });
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer> *BlobsService::Download(grpc::CallbackServerContext *context,
                                                                   const grpc::ByteBuffer *in) {
  return server::Download::start(site_, context, in);
}

grpc::ServerUnaryReactor *BlobsService::Import(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                               grpc::ByteBuffer *out) {
  return serve<v1::ImportRequest, v1::ImportResponse>(
      site_, context, in, out, "Blobs.Import", Call::Kind::Change,
      [this](std::shared_ptr<Unary<v1::ImportResponse>> call, v1::ImportRequest request) {
        if (absl::Status status = onlyPrivate(site_); !status.ok()) return call->finish(status);
        site_.disk.run([this, call = std::move(call), request = std::move(request)] { import(site_, call, request); });
      });
}

grpc::ServerUnaryReactor *BlobsService::Locate(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                               grpc::ByteBuffer *out) {
  return serve<v1::LocateRequest, v1::LocateResponse>(
      site_, context, in, out, "Blobs.Locate", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::LocateResponse>> call, v1::LocateRequest request) {
        if (absl::Status status = onlyPrivate(site_); !status.ok()) return call->finish(status);
        site_.disk.run([this, call = std::move(call), request = std::move(request)] {
          const auto path = site_.blobs->locate(request.digest());
          if (absl::IsDataLoss(path.status())) {
            site_.traffic.blobCorrupt();
            site_.engine->blobDamaged(request.digest());
          }
          if (!path.ok()) return call->finish(path.status());
          v1::LocateResponse response;
          response.set_path(path->string());
          call->finish(response);
        });
      });
}

}  // namespace hone::server

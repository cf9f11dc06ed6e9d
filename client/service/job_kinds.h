// What the client knows of each kind of job, as a table: how it is listed, and what file it makes. A kind is added by
// its line in kinds.cpp. Pure functions.
#pragma once

#include <string>

#include "hone/v1/jobs.pb.h"

namespace hone::client {

struct JobKind {
  v1::JobSpec::KindCase which;
  const char *name;
  /// Of the devices that it runs on; null: it needs none.
  std::string (*key)(const v1::JobSpec &);
  /// The file that it makes; null: none.
  const v1::Digest &(*file)(const v1::JobResult &);
  /// How long an interrupted command is remembered: the same again within that time goes on with the same job.
  int rememberedSeconds;
};

/// Of a kind that this client does not know: one without a name of its own, without key and file.
const JobKind &kindOf(const v1::JobSpec &spec);

}  // namespace hone::client

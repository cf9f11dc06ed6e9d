// The wire may grow and must not change: every message, field, enum value and method of hone.v1, as text, compared with
// the list that is checked in. HONE_UPDATE_GOLDEN=1 writes the list anew, but only if nothing is lost by it.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "hone/v1/blobs.pb.h"
#include "hone/v1/fleet.pb.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/records.pb.h"
#include "hone/v1/server.pb.h"
#include "hone/v1/tasks.pb.h"
#include "hone/v1/work.pb.h"

namespace hone::server::testing {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::ServiceDescriptor;
using Lines = std::set<std::string>;

void addEnum(const EnumDescriptor &type, Lines &lines) {
  for (int i = 0; i < type.value_count(); ++i)
    lines.insert(absl::StrCat("enum ", type.full_name(), " ", type.value(i)->number(), " ", type.value(i)->name()));
}

std::string typeOf(const FieldDescriptor &field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

void addMessage(const Descriptor &type, Lines &lines) {
  lines.insert(absl::StrCat("message ", type.full_name()));
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor &field = *type.field(i);
    const auto *oneof = field.real_containing_oneof();
    lines.insert(absl::StrCat("field ", type.full_name(), " ", field.number(), " ", field.name(), " ",
                              field.is_repeated() ? "repeated " : "", typeOf(field),
                              oneof != nullptr ? absl::StrCat(" of ", oneof->name()) : ""));
  }
  for (int i = 0; i < type.nested_type_count(); ++i) addMessage(*type.nested_type(i), lines);
  for (int i = 0; i < type.enum_type_count(); ++i) addEnum(*type.enum_type(i), lines);
}

void addService(const ServiceDescriptor &service, Lines &lines) {
  for (int i = 0; i < service.method_count(); ++i) {
    const auto &method = *service.method(i);
    lines.insert(absl::StrCat("method ", service.full_name(), " ", method.name(), " ",
                              method.client_streaming() ? "stream " : "", method.input_type()->full_name(), " -> ",
                              method.server_streaming() ? "stream " : "", method.output_type()->full_name()));
  }
}

Lines present() {
  Lines lines;
  for (const FileDescriptor *file :
       {v1::Digest::descriptor()->file(), v1::Hello::descriptor()->file(), v1::Job::descriptor()->file(),
        v1::Record::descriptor()->file(), v1::Capabilities::descriptor()->file(), v1::TaskSpec::descriptor()->file(),
        v1::Work::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) addMessage(*file->message_type(i), lines);
    for (int i = 0; i < file->enum_type_count(); ++i) addEnum(*file->enum_type(i), lines);
    for (int i = 0; i < file->service_count(); ++i) addService(*file->service(i), lines);
  }
  return lines;
}

Lines promised() {
  std::ifstream file(HONE_WIRE_FILE);
  Lines lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line[0] != '#') lines.insert(line);
  return lines;
}

std::string minus(const Lines &left, const Lines &right) {
  std::ostringstream text;
  for (const std::string &line : left)
    if (!right.contains(line)) text << "\n  " << line;
  return text.str();
}

TEST(Wire, LosesNothingThatWasPromised) {
  const Lines before = promised();
  ASSERT_GT(before.size(), 100U) << "the list at " HONE_WIRE_FILE " is not there";
  EXPECT_EQ(minus(before, present()), "") << "old clients and workers would not be understood any more";
}

TEST(Wire, HasNothingThatIsNotListed) {
  const Lines now = present();
  if (getenv("HONE_UPDATE_GOLDEN") == nullptr) {
    EXPECT_EQ(minus(now, promised()), "") << "if this is wanted: HONE_UPDATE_GOLDEN=1 ctest -R Wire";
    return;
  }
  ASSERT_EQ(minus(promised(), now), "") << "not written: something would be lost";
  std::ofstream file(HONE_WIRE_FILE);
  file << "# What hone.v1 promises, a line each; tests/server/rpc/wire_test.cpp compares. Lines are added, never taken "
          "away.\n";
  for (const std::string &line : now) file << line << "\n";
}

}  // namespace
}  // namespace hone::server::testing

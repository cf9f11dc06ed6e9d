// A lease's child that never comes to work: the worker's fault, said with a reason.
#include "worker/agent/serving_child.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/runtime/sample_artifact.h"
#include "tests/worker/worker_program.h"

namespace hone::worker {
namespace {

absl::Status workWith(const std::string &program) {
  const std::string folder = test::temporaryFolder();
  QuietLock quiet(folder + "/quiet.lock");
  const Log log(Log::Format::Text);
  ChildPool children({.path = program, .folders = folder}, quiet, log);
  Cancellation never;
  Failpoints none("");
  ServingChild child(children, quiet,
                     {.cancellation = never, .progress = [](const v1::Progress &) {}, .failpoints = &none});
  v1::Work work;
  work.mutable_describe_target();
  Deadline deadline = Deadline::clock::now() + std::chrono::minutes(1);
  const absl::Status status = child.work(work, true, deadline).status();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1) << "only the lock is left";
  return status;
}

TEST(ServingChild, OneThatEndsAtOnceIsTheWorkersFault) {
  const absl::Status status = workWith("/bin/false");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(),
            "two processes in a row were gone before they had begun their work: the work's process ended without a "
            "result (status 1)");
}

TEST(ServingChild, OneThatSpeaksAnotherLanguageIsTheWorkersFault) {
  const std::string program = test::temporaryFolder() + "/parrot";
  test::writeFile(program, "#!/bin/sh\nhead -c 1 <&3 >/dev/null\nprintf 'parrot parrot' >&3\nsleep 60\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const absl::Status status = workWith(program);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.message().find("sent what is no report"), std::string::npos) << status.message();
}

TEST(ServingChild, OneThatCannotBeStartedIsTheWorkersFault) {
  const absl::Status status = workWith("/nowhere/hone-worker");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.message().find("/nowhere/hone-worker"), std::string::npos) << status.message();
}

std::string frame(const v1::Report &report) {
  const std::string bytes = report.SerializeAsString();
  return {std::string{static_cast<char>(bytes.size()), 0, 0, 0} + bytes};
}

TEST(ServingChild, NobodyWaitsForTheEndOfOneWhoseWorkIsDoneAndSafe) {
  const std::string folder = test::temporaryFolder();
  v1::Report begun, end;
  begun.mutable_progress();
  end.mutable_result()->set_outcome(v1::Result::DONE);
  test::writeFile(folder + "/answer", frame(begun) + frame(end));
  const std::string program = folder + "/lingers";
  test::writeFile(program,
                  "#!/bin/sh\necho hello\nhead -c 1 <&3 >/dev/null\ncat '" + folder + "/answer' >&3\nexec sleep 600\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const std::string children = folder + "/children";
  std::filesystem::create_directory(children);
  QuietLock quiet(folder + "/quiet.lock");
  const Log log(Log::Format::Text);
  ChildPool pool({.path = program, .folders = children}, quiet, log);
  Cancellation never;
  Failpoints none("");
  int asked = 0;
  ServingChild child(pool, quiet,
                     {.cancellation = never,
                      .progress = [](const v1::Progress &) {},
                      .isIndependent = [&] { return ++asked > 0; },
                      .failpoints = &none});
  v1::Work work;
  work.mutable_describe_target();
  Deadline deadline = Deadline::clock::now() + std::chrono::minutes(10);
  const auto result = child.work(work, true, deadline);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->reason, ChildEnd::Reason::Ended);
  EXPECT_EQ(result->result->outcome(), v1::Result::DONE);
  EXPECT_EQ(child.log(), "hello\n");
  EXPECT_EQ(asked, 1);
  // It would have slept for long, and is gone with its folder all the same.
  EXPECT_TRUE(test::eventually([&] { return std::filesystem::is_empty(children); }));
}

}  // namespace
}  // namespace hone::worker

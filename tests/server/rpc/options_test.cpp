// The option table: each option is read, written and documented.
#include "server/options.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hone::server {
namespace {

const Option &find(const std::vector<Option> &table, const std::string &name) {
  for (const Option &option : table)
    if (option.name == name) return option;
  throw std::runtime_error("no option " + name);
}

TEST(Options, NameEachOnce) {
  Settings settings;
  std::set<std::string> names;
  for (const Option &option : optionTable(settings)) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_FALSE(option.help.ends_with('.')) << option.name;
    EXPECT_NE(optionsMarkdown().find("| `" + option.name + "` |"), std::string::npos) << option.name;
  }
  EXPECT_GT(names.size(), 30U);
}

TEST(Options, ReadWhatTheyWrite) {
  Settings settings;
  for (const Option &option : optionTable(settings)) {
    const std::string text = valueText(option);
    if (text.empty() || std::holds_alternative<bool *>(option.value)) continue;
    const absl::Status status = readValue(option, {text});
    EXPECT_TRUE(status.ok()) << option.name << ": " << status.message();
    EXPECT_EQ(valueText(option), text) << option.name;
  }
}

TEST(Options, RefuseWhatHasNoMeaning) {
  Settings settings;
  const auto table = optionTable(settings);
  for (const auto &[name, text] : {std::pair{"heartbeat", "soon"},
                                   {"heartbeat", "-3s"},
                                   {"heartbeat", "inf"},
                                   {"heartbeat", "1ms"},
                                   {"heartbeat", "nan"},
                                   {"max-attempts", "0"},
                                   {"max-attempts", "1.5"},
                                   {"max-attempts", "99999999999"},
                                   {"max-blob-bytes", "-1"},
                                   {"max-blob-bytes", "4GB"},
                                   {"max-blob-bytes", "9999999TiB"},
                                   {"log-format", "xml"},
                                   {"lease", ""}}) {
    const absl::Status status = readValue(find(table, name), {text});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << " " << text;
    EXPECT_NE(std::string(status.message()).find("--" + std::string(name)), std::string::npos) << status.message();
  }
}

TEST(Options, UnderstandUnits) {
  Settings settings;
  const auto table = optionTable(settings);
  ASSERT_TRUE(readValue(find(table, "lease"), {"500ms"}).ok());
  EXPECT_EQ(settings.policy.lease, absl::Milliseconds(500));
  ASSERT_TRUE(readValue(find(table, "lease"), {"2"}).ok());
  EXPECT_EQ(settings.policy.lease, absl::Seconds(2));
  ASSERT_TRUE(readValue(find(table, "keep-jobs"), {"7d"}).ok());
  EXPECT_EQ(settings.policy.keepJobs, absl::Hours(7 * 24));
  ASSERT_TRUE(readValue(find(table, "max-blob-bytes"), {"64MiB"}).ok());
  EXPECT_EQ(settings.limits.maxBlobBytes, 64 << 20);
}

TEST(Options, KeepLittleOfAPrivateDiskFree) {
  constexpr int64_t kMebibyte = 1 << 20, kGibibyte = kMebibyte << 10;
  EXPECT_EQ(defaultDiskReserve(/*isPrivate=*/false, kGibibyte), kGibibyte);
  EXPECT_EQ(defaultDiskReserve(/*isPrivate=*/true, kGibibyte), 16 * kMebibyte);
  EXPECT_EQ(defaultDiskReserve(/*isPrivate=*/true, 500 * kGibibyte), 64 * kMebibyte);
  EXPECT_EQ(defaultDiskReserve(/*isPrivate=*/true, 0), 0);
  // One that is said is the one that is kept, 0 too.
  Settings settings;
  const auto table = optionTable(settings);
  EXPECT_LT(settings.diskReserve, 0);
  EXPECT_EQ(valueText(find(table, "disk-reserve")), "");
  ASSERT_TRUE(readValue(find(table, "disk-reserve"), {"0"}).ok());
  EXPECT_EQ(settings.diskReserve, 0);
}

}  // namespace
}  // namespace hone::server

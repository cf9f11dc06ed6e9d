// The subcommands of hone-server: backup, restore, fsck, options. Belongs to one App, on one thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}

namespace hone::server {

class MaintenanceCommands {
 public:
  explicit MaintenanceCommands(CLI::App &app);

  bool isAsked() const;
  /// The exit code, once the App has parsed. \p data: the data folder.
  absl::StatusOr<int> run(const std::string &data) const;

 private:
  absl::StatusOr<int> runBackup(const std::string &data) const;
  absl::StatusOr<int> runRestore(const std::string &data) const;
  absl::StatusOr<int> runFsck(const std::string &data) const;

  CLI::App *backup_;
  CLI::App *restore_;
  CLI::App *fsck_;
  CLI::App *options_;
  std::string backupFolder_;
  std::string restoreFolder_;
  bool copyBlobs_ = false;
  bool repair_ = false;
  bool markdown_ = false;
};

}  // namespace hone::server

#include "server/maintenance_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/options.h"
#include "server/store/maintenance.h"

namespace hone::server {

namespace {

constexpr int kDamaged = 3;

void print(const std::string &line) { puts(line.c_str()); }
void print(const std::vector<std::string> &lines) {
  for (const std::string &line : lines) print(line);
}

void printOptions() {
  Settings settings;
  for (const Option &option : optionTable(settings))
    print(absl::StrCat("# ", option.help, ".\n# ", option.name, " = \"", valueText(option), "\"\n"));
}

}  // namespace

MaintenanceCommands::MaintenanceCommands(CLI::App &app)
    : backup_(app.add_subcommand("backup", "a copy of the data folder; the server may run")),
      restore_(app.add_subcommand("restore", "puts a backup into the data folder; nothing is deleted")),
      fsck_(app.add_subcommand("fsck", "reads everything there is and says what is damaged")),
      options_(app.add_subcommand("options", "every option, its default and what it means, as a configuration file")) {
  app.require_subcommand(0, 1);
  for (CLI::App *command : {backup_, restore_, fsck_, options_}) command->fallthrough();
  backup_->add_option("folder", backupFolder_, "A folder that does not exist yet")->required();
  backup_->add_flag("--copy-blobs", copyBlobs_, "Copy blobs also where a hard link would do");
  restore_->add_option("backup", restoreFolder_, "What hone-server backup wrote")->required();
  fsck_->add_flag("--repair", repair_, "Set damaged blobs aside, and forget what refers to them");
  options_->add_flag("--markdown", markdown_, "As tables");
}

bool MaintenanceCommands::isAsked() const {
  return backup_->parsed() || restore_->parsed() || fsck_->parsed() || options_->parsed();
}

absl::StatusOr<int> MaintenanceCommands::run(const std::string &data) const {
  if (backup_->parsed()) return runBackup(data);
  if (restore_->parsed()) return runRestore(data);
  if (fsck_->parsed()) return runFsck(data);
  if (markdown_) {
    fputs(optionsMarkdown().c_str(), stdout);
  } else {
    printOptions();
  }
  return 0;
}

absl::StatusOr<int> MaintenanceCommands::runBackup(const std::string &data) const {
  const auto report = backup(data, backupFolder_, {.copyBlobs = copyBlobs_});
  if (!report.ok()) return report.status();
  print(report->findings);
  print(absl::StrCat("backup in '", report->folder.string(), "': ", report->jobs, " jobs, ", report->blobs,
                     " blobs of ", report->blobBytes, " bytes (", report->linkedBlobs, " as hard links)"));
  return report->findings.empty() ? 0 : kDamaged;
}

absl::StatusOr<int> MaintenanceCommands::runRestore(const std::string &data) const {
  const auto report = restore(restoreFolder_, data);
  if (!report.ok()) return report.status();
  print(report->findings);
  if (!report->setAside.empty()) print(absl::StrCat("what was there is in '", report->setAside.string(), "'"));
  print(absl::StrCat("restored: ", report->jobs, " jobs, ", report->blobs, " blobs of ", report->blobBytes, " bytes"));
  return report->findings.empty() ? 0 : kDamaged;
}

absl::StatusOr<int> MaintenanceCommands::runFsck(const std::string &data) const {
  const auto report = fsck(data, {.repair = repair_});
  if (!report.ok()) return report.status();
  print(report->findings);
  print(report->repairs);
  print(absl::StrCat("looked at ", report->jobs, " jobs, ", report->tasks, " tasks, ", report->blobs, " blobs of ",
                     report->blobBytes, " bytes, ", report->cacheEntries, " cache entries: ", report->databaseErrors,
                     " database errors, ", report->damagedBlobs, " damaged and ", report->missingBlobs,
                     " missing blobs, ", report->brokenCacheEntries, " broken cache entries, ", report->contradictions,
                     " contradictions, ", report->orphanFiles, " files without a row"));
  return report->isWhole() ? 0 : kDamaged;
}

}  // namespace hone::server

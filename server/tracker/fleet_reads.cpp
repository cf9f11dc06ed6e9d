#include "server/tracker/fleet_reads.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "common/mutex.h"
#include "server/tracker/connection.h"

namespace hone::server {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(50);  // between the beginnings of two reads
constexpr int kPageSize = 1000;
constexpr int kMostPages = 100;  // a fleet that never ends is a defect of the reader

}  // namespace

struct FleetReads::Mailbox {
  Descriptor event{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  Mutex mutex;
  std::vector<Answer> answers ABSL_GUARDED_BY(mutex);

  void wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t count = write(event.get(), &one, sizeof one);  // full: it is awake
  }
  void put(uint64_t number, Fleet fleet) {
    {
      const MutexLock lock(mutex);
      answers.push_back({number, std::move(fleet)});
    }
    wake();
  }
};

struct FleetReads::Walk {
  FleetReader reader;
  std::shared_ptr<Mailbox> mailbox;
  uint64_t number = 0;
  v1::ListWorkersResponse found;
  std::string token;
  int pages = 0;
};

FleetReads::FleetReads(FleetReader reader, absl::Duration most)
    : reader_(std::move(reader)), most_(most), mailbox_(std::make_shared<Mailbox>()) {}

FleetReads::~FleetReads() = default;

int FleetReads::descriptor() const { return mailbox_->event.get(); }

void FleetReads::wake() const { mailbox_->wake(); }

uint64_t FleetReads::ask(absl::Duration now) {
  if (wanted_ == 0) wanted_ = ++last_;
  const uint64_t number = wanted_;
  beginIfDue(now);
  return number;
}

void FleetReads::beginIfDue(absl::Duration now) {
  if (running_ != 0 || wanted_ == 0 || now < began_ + kPause) return;
  running_ = wanted_;
  wanted_ = 0;
  began_ = now;
  auto walk = std::make_shared<Walk>();
  walk->reader = reader_;
  walk->mailbox = mailbox_;
  walk->number = running_;
  readPage(walk);
}

void FleetReads::readPage(const std::shared_ptr<Walk> &walk) {
  v1::ListWorkersRequest request;
  request.set_page_size(kPageSize);
  request.set_page_token(walk->token);
  walk->reader(std::move(request), [walk](const absl::StatusOr<v1::ListWorkersResponse> &page) {
    if (!page.ok() || ++walk->pages > kMostPages) return walk->mailbox->put(walk->number, std::nullopt);
    walk->found.mutable_workers()->MergeFrom(page->workers());
    if (page->queues_size() > 0) *walk->found.mutable_queues() = page->queues();  // every page may tell all of them
    walk->token = page->next_page_token();
    if (walk->token.empty()) return walk->mailbox->put(walk->number, std::move(walk->found));
    readPage(walk);
  });
}

std::vector<FleetReads::Answer> FleetReads::take(absl::Duration now) {
  uint64_t wakes = 0;
  [[maybe_unused]] const ssize_t count = read(descriptor(), &wakes, sizeof wakes);
  std::vector<Answer> arrived, taken;
  {
    const MutexLock lock(mailbox_->mutex);
    arrived.swap(mailbox_->answers);
  }
  for (Answer &answer : arrived) {
    if (answer.number == running_) taken.push_back(std::move(answer));  // else it was given up
  }
  if (taken.empty() && running_ != 0 && now >= began_ + most_) taken.push_back({running_, std::nullopt});
  if (!taken.empty()) running_ = 0;
  beginIfDue(now);
  return taken;
}

absl::Duration FleetReads::deadline() const {
  if (running_ != 0) return began_ + most_;
  return wanted_ != 0 ? began_ + kPause : absl::InfiniteDuration();
}

}  // namespace hone::server

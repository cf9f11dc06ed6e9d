// A private coordinator of another version, as far as a client looks before it asks it to end: old_coordinator SOCKET
// DATA VERSION. Ends when it is asked to, and lets go of the data folder's lock only then.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/file.h>

#include <cstdio>
#include <memory>
#include <semaphore>
#include <string>
#include <utility>

#include "hone/v1/server.grpc.pb.h"

namespace {

class OldServer final : public hone::v1::Server::Service {
 public:
  explicit OldServer(std::string version) : version_(std::move(version)) {}
  grpc::Status GetCapabilities(grpc::ServerContext *, const hone::v1::GetCapabilitiesRequest *,
                               hone::v1::Capabilities *response) override {
    response->set_version(version_);
    response->set_api_version(1);
    response->set_is_private(true);
    return grpc::Status::OK;
  }
  grpc::Status Stop(grpc::ServerContext *, const hone::v1::StopRequest *request, hone::v1::StopResponse *) override {
    puts(request->now() ? "asked to end now" : "asked to end");
    end_.release();
    return grpc::Status::OK;
  }
  void waitForEnd() { end_.acquire(); }

 private:
  const std::string version_;
  std::counting_semaphore<> end_{0};
};

}  // namespace

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const int lock = open((std::string(argv[2]) + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) return 5;
  OldServer service(argv[3]);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("unix:") + argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 5;
  service.waitForEnd();
  server->Shutdown();
  return 0;
}

#include "server/rpc/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/descriptor.h"

namespace hone::server {

namespace {

absl::Status refuse(const std::string &host) {
  return absl::PermissionDeniedError(absl::StrCat(
      "will not listen on '", host,
      "': without TLS, which this version lacks, only loopback addresses (127.0.0.1, [::1], localhost) "
      "and unix sockets are allowed; reach the coordinator from elsewhere with ssh -L 9190:127.0.0.1:9190"));
}

absl::Status checkLoopback(const std::string &host) {
  in_addr four;
  if (inet_pton(AF_INET, host.c_str(), &four) == 1)
    return (ntohl(four.s_addr) >> 24) == 127 ? absl::OkStatus() : refuse(host);
  in6_addr six;
  if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six) ? absl::OkStatus() : refuse(host);
  return refuse(host);
}

absl::Status cannotListen(const Address &address) {
  if (errno == EADDRINUSE)
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address.text(),
                                               ": the port is in use; end its owner or choose another with --listen"));
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address.text(), ": ", strerror(errno)));
}

absl::Status probeUnix(const Address &address) {
  struct stat status;
  if (lstat(address.path.c_str(), &status) != 0) return errno == ENOENT ? absl::OkStatus() : cannotListen(address);
  if (!S_ISSOCK(status.st_mode))
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address.text(), ": that file is not a socket"));
  if (isAnswering(address.path))
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address.text(), ": another server listens there; end it or choose another"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Address> listenAddress(const std::string &text) {
  // As people write all addresses of a machine.
  if (text.starts_with(':') || text.starts_with("*:")) return refuse(text.substr(0, text.find(':')));
  auto address = parseListenAddress(text);
  if (!address.ok() || address->isUnix()) return address;
  if (address->host == "localhost") address->host = "127.0.0.1";
  if (absl::Status status = checkLoopback(address->host); !status.ok()) return status;
  return address;
}

absl::Status probeAddress(const Address &address) {
  if (address.isUnix()) return probeUnix(address);
  if (address.port == 0) return absl::OkStatus();
  const bool isSix = address.host.find(':') != std::string::npos;
  const Descriptor socket(::socket(isSix ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.isOpen()) return cannotListen(address);
  // As gRPC binds: connections of a server that has ended do not keep the port.
  const int yes = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  int bound = -1;
  if (isSix) {
    sockaddr_in6 name = {};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(address.port);
    inet_pton(AF_INET6, address.host.c_str(), &name.sin6_addr);
    bound = bind(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof name);
  } else {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    inet_pton(AF_INET, address.host.c_str(), &name.sin_addr);
    bound = bind(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof name);
  }
  // Two sockets may be bound with SO_REUSEADDR while neither listens; to listen tells.
  if (bound != 0 || listen(socket.get(), 1) != 0) return cannotListen(address);
  return absl::OkStatus();
}

}  // namespace hone::server

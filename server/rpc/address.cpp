#include "server/rpc/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hone::server {

namespace {

constexpr char kUnixPrefix[] = "unix:";

absl::StatusOr<Address> parseUnix(const std::string &path) {
  if (path.empty() || path[0] != '/')
    return absl::InvalidArgumentError(absl::StrCat("the socket path '", path, "' is not absolute; write unix:/path"));
  constexpr size_t kMost = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kMost)
    return absl::InvalidArgumentError(absl::StrCat("the socket path '", path, "' has ", path.size(),
                                                   " bytes, but a socket's path has at most ", kMost));
  Address address;
  address.isUnix = true;
  address.path = path;
  return address;
}

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

class Socket {
 public:
  explicit Socket(int family) : descriptor_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

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
  Socket socket(AF_UNIX);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, address.path.c_str(), address.path.size() + 1);
  if (connect(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof name) == 0)
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address.text(), ": another server listens there; end it or choose another"));
  return absl::OkStatus();
}

}  // namespace

std::string Address::text() const {
  if (isUnix) return absl::StrCat(kUnixPrefix, path);
  const bool isSix = host.find(':') != std::string::npos;
  return isSix ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> parseAddress(const std::string &text) {
  if (text.starts_with(kUnixPrefix)) return parseUnix(text.substr(strlen(kUnixPrefix)));
  const size_t colon = text.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 || port > 65535)
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no address to listen on; write HOST:PORT or unix:/path"));
  Address address;
  address.host = text.substr(0, colon);
  address.port = static_cast<uint16_t>(port);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']')
    address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (absl::Status status = checkLoopback(address.host); !status.ok()) return status;
  return address;
}

absl::Status probeAddress(const Address &address) {
  if (address.isUnix) return probeUnix(address);
  if (address.port == 0) return absl::OkStatus();
  const bool isSix = address.host.find(':') != std::string::npos;
  Socket socket(isSix ? AF_INET6 : AF_INET);
  if (socket.get() < 0) return cannotListen(address);
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

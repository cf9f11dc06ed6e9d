#include "common/address.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/descriptor.h"

namespace hone {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";
// One byte is for the zero at its end.
constexpr size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

absl::Status refuse(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", view(text), "' is no address: ", view(why), "; write HOST:PORT or unix:/PATH"));
}

bool isHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
}

bool isIpv6(const std::string &text) {
  in6_addr address;
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

absl::StatusOr<Address> parseSocket(std::string_view text) {
  const std::string_view path = text.substr(kUnixPrefix.size());
  if (!path.starts_with('/')) return refuse(text, "the path of the socket does not begin with /");
  if (!isSocketPath(path))
    return refuse(text,
                  absl::StrCat("the path has ", path.size(), " bytes and a socket's has at most ", kLongestSocketPath));
  Address address;
  address.path = path;
  return address;
}

absl::StatusOr<Address> parseHost(std::string_view text, std::string_view host) {
  Address address;
  if (text.starts_with('[')) {
    if (host.ends_with(']')) address.host = host.substr(1, host.size() - 2);
    if (!isIpv6(address.host)) return refuse(text, "what stands in brackets is no IPv6 address");
    return address;
  }
  if (host.empty()) return refuse(text, "there is no host");
  if (!std::all_of(host.begin(), host.end(), isHostCharacter))
    return refuse(text, "the host has characters that no host has");
  address.host = host;
  return address;
}

absl::StatusOr<Address> parse(std::string_view text, std::optional<uint16_t> defaultPort, uint32_t leastPort) {
  if (text.starts_with(kUnixPrefix)) return parseSocket(text);
  const size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  const size_t colon = bracket == std::string_view::npos ? bracket : text.find(':', bracket);
  auto address = parseHost(text, text.substr(0, colon));
  if (!address.ok()) return address.status();
  if (colon == std::string_view::npos) {
    if (!defaultPort.has_value()) return refuse(text, "there is no port");
    address->port = *defaultPort;
    return address;
  }
  const std::string_view port = text.substr(colon + 1);
  if (port.empty()) return refuse(text, "there is no port after the colon");
  if (port.find(':') != std::string_view::npos)
    return refuse(text, "it has several colons (IPv6 is written [::1]:9190)");
  uint32_t number = 0;
  const bool isNumber = std::all_of(port.begin(), port.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (!isNumber || !absl::SimpleAtoi(view(port), &number) || number < leastPort || number > UINT16_MAX)
    return refuse(text, absl::StrCat("the port is no number from ", leastPort, " to ", UINT16_MAX));
  address->port = static_cast<uint16_t>(number);
  return address;
}

}  // namespace

bool Address::isLocal() const {
  in_addr four;
  if (isUnix() || host == "localhost" || host == "::1") return true;
  return inet_pton(AF_INET, host.c_str(), &four) == 1 && ntohl(four.s_addr) >> 24 == 127;
}

std::string Address::text() const {
  if (isUnix()) return absl::StrCat(view(kUnixPrefix), path);
  const bool isSix = host.find(':') != std::string::npos;
  return isSix ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> parseAddress(std::string_view text) { return parse(text, kDefaultPort, 1); }
absl::StatusOr<Address> parseListenAddress(std::string_view text) { return parse(text, std::nullopt, 0); }

bool isSocketPath(std::string_view path) { return path.starts_with('/') && path.size() <= kLongestSocketPath; }

bool isAnswering(const std::string &path) {
  if (!isSocketPath(path)) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  const Descriptor descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(descriptor.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
}

}  // namespace hone

#include "client/service/address.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hone::client {

namespace {

// A socket's path, with its final zero, has 108 bytes.
constexpr size_t kSocketPathBytes = 107;

absl::Status refuse(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", std::string(text), "' is no address of a server: ",
                                                 std::string(why), "; expected HOST, HOST:PORT or unix:/PATH"));
}

absl::StatusOr<std::string> parseSocket(std::string_view text) {
  const std::string_view path = text.substr(5);
  if (!path.starts_with('/')) return refuse(text, "the path of the socket does not begin with /");
  if (path.size() > kSocketPathBytes)
    return refuse(text,
                  absl::StrCat("the path has ", path.size(), " bytes and a socket's has at most ", kSocketPathBytes));
  return std::string(text);
}

bool isHostCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
}

}  // namespace

absl::StatusOr<std::string> parseAddress(std::string_view text) {
  if (text.starts_with("unix:")) return parseSocket(text);
  std::string_view host = text;
  std::string_view port;
  const size_t bracket = text.find(']');
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.find(':') != std::string_view::npos)
      return refuse(text, "it has several colons (IPv6 is written [::1]:9190)");
    if (port.empty()) return refuse(text, "there is no port after the colon");
  }
  if (text.starts_with('[')) {
    const auto isDigit = [](char c) {
      return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '.';
    };
    if (!host.ends_with(']') || host.size() < 4 || !std::all_of(host.begin() + 1, host.end() - 1, isDigit))
      return refuse(text, "what stands in brackets is no IPv6 address");
  } else if (host.empty() || !std::all_of(host.begin(), host.end(), isHostCharacter)) {
    return refuse(text, host.empty() ? "there is no host" : "the host has characters that no host has");
  }
  int number = kDefaultPort;
  if (!port.empty()) {
    const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || rest != port.data() + port.size() || number < 1 || number > 65535)
      return refuse(text, "the port is no number from 1 to 65535");
  }
  return absl::StrCat(std::string(host), ":", number);
}

bool isLocal(std::string_view address) {
  return address.starts_with("unix:") || address.starts_with("localhost:") || address.starts_with("127.") ||
         address.starts_with("[::1]");
}

}  // namespace hone::client

#include "runtime/tools/json_text.h"

#include <cmath>
#include <iomanip>
#include <sstream>

namespace hone::runtime {

std::string jsonString(const std::string &text) {
  std::ostringstream out;
  out << '"';
  for (const char byte : text) {
    if (byte == '"' || byte == '\\')
      out << '\\' << byte;
    else if (static_cast<unsigned char>(byte) < 0x20)
      out << "\\u" << std::hex << std::setw(4) << std::setfill('0') << int{byte} << std::dec;
    else
      out << byte;
  }
  out << '"';
  return out.str();
}

std::string jsonNumber(double value) {
  if (!std::isfinite(value)) return "null";
  std::ostringstream out;
  out << std::setprecision(9) << value;
  return out.str();
}

}  // namespace hone::runtime

#include "text/message.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "text/printable.h"

namespace hone::text {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::vector<const FieldDescriptor *> fieldsOf(const Message &message) {
  std::vector<const FieldDescriptor *> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

int countOf(const Message &message, const FieldDescriptor &field) {
  return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) : 1;
}

const Message &messageAt(const Message &message, const FieldDescriptor &field, int index) {
  return field.is_repeated() ? message.GetReflection()->GetRepeatedMessage(message, &field, index)
                             : message.GetReflection()->GetMessage(message, &field);
}

Message &messageAt(Message &message, const FieldDescriptor &field, int index) {
  return field.is_repeated() ? *message.GetReflection()->MutableRepeatedMessage(&message, &field, index)
                             : *message.GetReflection()->MutableMessage(&message, &field);
}

// Where the reflection has no reference to give, \p scratch holds the text.
const std::string &stringAt(const Message &message, const FieldDescriptor &field, int index, std::string &scratch) {
  return field.is_repeated() ? message.GetReflection()->GetRepeatedStringReference(message, &field, index, &scratch)
                             : message.GetReflection()->GetStringReference(message, &field, &scratch);
}

void setString(Message &message, const FieldDescriptor &field, int index, std::string text) {
  if (field.is_repeated())
    message.GetReflection()->SetRepeatedString(&message, &field, index, std::move(text));
  else
    message.GetReflection()->SetString(&message, &field, std::move(text));
}

}  // namespace

absl::Status checkUtf8(const Message &message) {
  std::string scratch;
  for (const FieldDescriptor *field : fieldsOf(message)) {
    for (int i = 0; i < countOf(message, *field); ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        if (absl::Status status = checkUtf8(messageAt(message, *field, i)); !status.ok()) return status;
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string &text = stringAt(message, *field, i, scratch);
        if (!isUtf8(text))
          return absl::InvalidArgumentError(absl::StrCat("the ", field->name(), " '", asUtf8(text),
                                                         "' is not UTF-8; \\x stands for the bytes that are not"));
      } else {
        break;
      }
    }
  }
  return absl::OkStatus();
}

void makeUtf8(Message &message) {
  std::string scratch;
  for (const FieldDescriptor *field : fieldsOf(message)) {
    for (int i = 0; i < countOf(message, *field); ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        makeUtf8(messageAt(message, *field, i));
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string &text = stringAt(message, *field, i, scratch);
        if (!isUtf8(text)) setString(message, *field, i, asUtf8(text));
      } else {
        break;
      }
    }
  }
}

}  // namespace hone::text

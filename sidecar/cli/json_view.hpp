// JsonView: reading JSON of which some members may be missing, as another version of the sidecar
// would send it.
//
// Used by the commands that show what a running sidecar says. A member that is missing, null or of
// another type is empty, and so is everything below it. Thread: any. Borrows: the document.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sidecar/base/json_document.hpp"

namespace outrider::sidecar {

class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(const rapidjson::Value& value) : value_(&value) {}

  JsonView operator[](const char* name) const {
    if (value_ == nullptr || !value_->IsObject()) return {};
    const auto found = value_->FindMember(name);
    return found == value_->MemberEnd() ? JsonView() : JsonView(found->value);
  }

  bool is_there() const { return value_ != nullptr && !value_->IsNull(); }
  bool is_true() const { return value_ != nullptr && value_->IsBool() && value_->GetBool(); }

  std::string text() const {
    if (value_ == nullptr || !value_->IsString()) return {};
    return {value_->GetString(), value_->GetStringLength()};
  }
  std::optional<std::uint64_t> count() const {
    if (value_ == nullptr || !value_->IsUint64()) return std::nullopt;
    return value_->GetUint64();
  }
  std::optional<double> number() const {
    if (value_ == nullptr || !value_->IsNumber()) return std::nullopt;
    return value_->GetDouble();
  }

  /// Calls `use(JsonView)` for each element of an array.
  template <typename Use>
  void for_each(const Use& use) const {
    if (value_ == nullptr || !value_->IsArray()) return;
    for (const rapidjson::Value& element : value_->GetArray()) use(JsonView(element));
  }
  /// Calls `use(name, JsonView)` for each member of an object.
  template <typename Use>
  void for_each_member(const Use& use) const {
    if (value_ == nullptr || !value_->IsObject()) return;
    for (const auto& member : value_->GetObject()) {
      use(std::string(member.name.GetString(), member.name.GetStringLength()),
          JsonView(member.value));
    }
  }

 private:
  const rapidjson::Value* value_ = nullptr;
};

}  // namespace outrider::sidecar

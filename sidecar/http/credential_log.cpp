#include "sidecar/http/credential_log.hpp"

namespace outrider::sidecar {

void CredentialLog::change(State state, std::string because, const Now& now) {
  ++changes_;
  state_ = state;
  because_ = std::move(because);
  tell(now);
}

void CredentialLog::tell(const Now& now) {
  if (changes_ == 0 || !limits_[static_cast<std::size_t>(state_)].take(now)) return;
  write(std::to_string(std::exchange(changes_, 0) - 1));
}

void CredentialLog::write(const std::string& left_out) {
  if (state_ == State::used) {
    log_.info("credentials re-read", {{"destination", destination_}, {"left_out", left_out}});
    return;
  }
  log_.error(state_ == State::refused
                 ? "changed credentials cannot be used; the old ones stay in use"
                 : "the credential files cannot be checked; the old credentials stay in use",
             {{"destination", destination_}, {"left_out", left_out}, {"because", because_}});
}

}  // namespace outrider::sidecar

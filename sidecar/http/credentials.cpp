#include "sidecar/http/credentials.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "sidecar/base/event_template.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/pem.hpp"
#include "sidecar/config/secret.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration look_interval = std::chrono::seconds(1);
/// Then the log says that there is no answer.
constexpr Duration answer_wait_max = std::chrono::seconds(10);
/// A part of a header's value that is shorter is a common word.
constexpr std::size_t part_bytes_min = 8;

Status read_pem(const char* option, const std::string& path, Status (*check)(std::string_view),
                std::string& pem) {
  if (path.empty()) return Nothing{};
  Result<std::string> text = read_regular_file(path, pem_file_bytes_max);
  if (!text.ok()) return text.error().with_prefix(option);
  const Status status = check(text.value());
  if (!status.ok()) {
    return Error{std::string(option) + ": file \"" + path + "\" " + status.error().message};
  }
  pem = std::move(text.value());
  return Nothing{};
}

Status read_trust(const DestinationConfig& config, TrustStores& trust_stores,
                  Credentials& credentials) {
  if (config.ca_file.empty()) return Nothing{};
  auto trust = trust_stores.read(config.ca_file);
  if (!trust.ok()) return trust.error().with_prefix("ca_file");
  credentials.trust = std::move(trust.value());
  return Nothing{};
}

Status read_identity(const DestinationConfig& config, Credentials& credentials) {
  if (config.cert_file.empty() && !config.key_file.empty()) {
    return Error{"key_file needs the cert_file that it belongs to"};
  }
  const char* const key_option = config.key_file.empty() ? "cert_file" : "key_file";
  const std::string& key_file = config.key_file.empty() ? config.cert_file : config.key_file;
  Status status =
      read_pem("cert_file", config.cert_file, check_client_certificates, credentials.cert_pem);
  if (status.ok()) status = read_pem(key_option, key_file, check_key, credentials.key_pem);
  if (!status.ok() || credentials.cert_pem.empty()) return status;
  status = check_key_pair(credentials.cert_pem, credentials.key_pem);
  if (status.ok()) return status;
  return Error{std::string(key_option) + ": file \"" + key_file + "\" " + status.error().message};
}

Status read_authentication(const DestinationConfig& config, Credentials& credentials) {
  if (!config.bearer_token_file.empty() && !config.basic_auth_file.empty()) {
    return Error{"bearer_token_file and basic_auth_file exclude each other"};
  }
  if (!config.bearer_token_file.empty()) {
    const Result<std::string> token = read_secret(config.bearer_token_file);
    if (!token.ok()) return token.error().with_prefix("bearer_token_file");
    credentials.headers.push_back("Authorization: Bearer " + token.value());
  }
  const std::tuple<const char*, const std::string&, std::string&> pairs[] = {
      {"basic_auth_file", config.basic_auth_file, credentials.user_and_password},
      {"proxy_auth_file", config.proxy_auth_file, credentials.proxy_user_and_password}};
  for (const auto& [option, source, out] : pairs) {
    if (source.empty()) continue;
    Result<std::string> pair = read_user_and_password(source);
    if (!pair.ok()) return pair.error().with_prefix(option);
    out = std::move(pair.value());
  }
  return Nothing{};
}

Status read_headers(const DestinationConfig& config, Credentials& credentials) {
  for (const std::string& line : config.secret_headers) {
    const auto parts = split_secret_header(line);
    if (!parts.ok()) return parts.error().with_prefix("secret_header");
    const auto& [name, source] = parts.value();
    const Result<std::string> value = read_secret(source);
    if (!value.ok()) return value.error().with_prefix("secret_header " + name);
    credentials.headers.push_back(name + ": " + value.value());
  }
  return Nothing{};
}

Status read_signing_keys(const DestinationConfig& config, Credentials& credentials) {
  for (const std::string& source : config.signing_secret_files) {
    const Result<std::vector<SigningSecret>> secrets = read_signing_secrets(source);
    if (!secrets.ok()) return secrets.error().with_prefix("signing_secret_file");
    for (const SigningSecret& secret : secrets.value()) {
      Result<SigningKey> key = SigningKey::make(secret);
      if (!key.ok()) return key.error().with_prefix("signing_secret_file");
      credentials.signing_keys.push_back(std::move(key.value()));
    }
  }
  return Nothing{};
}

void add_pair(const std::string& pair, std::vector<std::string>& secrets) {
  secrets.push_back(pair);
  secrets.push_back(pair.substr(pair.find(':') + 1));
}

/// "a=1; b=2": each value, which a receiver knows under its own name.
void add_cookies(std::string_view pairs, std::vector<std::string>& secrets) {
  for (const std::string& pair : split(pairs, ';')) {
    const std::size_t equals = pair.find('=');
    std::string_view value = trim(std::string_view(pair).substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (equals != std::string::npos && value.size() >= part_bytes_min) secrets.emplace_back(value);
  }
}

/// "Name: value": the value, also without the word before it, as in "Bearer x"; the decoded text of
/// "Basic x"; and the values of cookies.
void add_header_secrets(std::string_view line, std::vector<std::string>& secrets) {
  constexpr std::array<std::string_view, 5> schemes = {"bearer", "basic", "token", "apikey",
                                                       "digest"};
  const std::string_view value = trim(line.substr(line.find(':') + 1));
  const std::size_t blank = std::min(value.find(' '), value.size());
  const std::string first = to_lower(value.substr(0, blank));
  const bool has_scheme = std::find(schemes.begin(), schemes.end(), first) != schemes.end();
  const std::string_view secret = has_scheme ? trim(value.substr(blank)) : value;
  secrets.emplace_back(secret);
  if (has_scheme && first == "basic") add_pair(base64_decoded(secret), secrets);
  if (to_lower(trim(line.substr(0, line.find(':')))) == "cookie") add_cookies(value, secrets);
}

/// The constant part of a secret that contains fields of the event.
void add_fixed_parts(std::vector<std::string> written, std::vector<std::string>& secrets) {
  for (std::string& text : written) {
    const auto parsed = EventTemplate::parse(text, EventTemplate::Place::header);
    secrets.push_back(std::move(text));
    if (!parsed.ok()) continue;
    for (std::string& part : parsed.value().fixed_texts()) {
      if (part.size() >= part_bytes_min) secrets.push_back(std::move(part));
    }
  }
}

SecretMask mask_of(const DestinationConfig& config, const Credentials& credentials) {
  std::vector<std::string> secrets;
  for (const std::string& line : credentials.headers) add_header_secrets(line, secrets);
  std::vector<std::string> written;
  for (const std::string& line : config.headers) {
    if (sounds_secret(line.substr(0, line.find(':')))) add_header_secrets(line, written);
  }
  for (const std::string& url : config.urls) {
    for (std::string& value : secrets_of_url(url)) written.push_back(std::move(value));
  }
  add_fixed_parts(std::move(written), secrets);
  for (const std::string* pair :
       {&credentials.user_and_password, &credentials.proxy_user_and_password}) {
    if (!pair->empty()) add_pair(*pair, secrets);
  }
  return SecretMask(secrets);
}

std::vector<std::string> files_of(const DestinationConfig& config) {
  std::vector<std::string> sources = {config.ca_file,         config.cert_file,
                                      config.key_file,        config.bearer_token_file,
                                      config.basic_auth_file, config.proxy_auth_file};
  sources.insert(sources.end(), config.signing_secret_files.begin(),
                 config.signing_secret_files.end());
  for (const std::string& line : config.secret_headers) {
    const auto parts = split_secret_header(line);
    if (parts.ok()) sources.push_back(parts.value().second);
  }
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    std::string file = file_of_source(source);
    if (!file.empty()) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

/// The state that the store and a running check share; lives as long as either of them.
struct CredentialStore::Files {
  Files(DestinationConfig destination, std::shared_ptr<TrustStores> stores)
      : config(std::move(destination)), trust_stores(std::move(stores)), paths(files_of(config)) {}

  struct Answer {
    bool has_changed = false;
    std::optional<Result<std::shared_ptr<const Credentials>>> read;  ///< none: as before
  };

  Answer look(bool must_read);
  Result<std::shared_ptr<const Credentials>> read() const;

  const DestinationConfig config;
  const std::shared_ptr<TrustStores> trust_stores;
  const std::vector<std::string> paths;
  std::vector<FileState> seen;  ///< of the look that is on its way
  std::mutex mutex;             ///< guards the members below
  std::optional<Answer> answer;
};

CredentialStore::Files::Answer CredentialStore::Files::look(bool must_read) {
  // It looks before it reads, so that a change between the two is seen the next time.
  std::vector<FileState> state;
  for (const std::string& path : paths) state.push_back(look_at_file(path));
  Answer found;
  found.has_changed = state != seen;
  seen = std::move(state);
  if (found.has_changed || must_read) found.read = read();
  return found;
}

Result<std::shared_ptr<const Credentials>> CredentialStore::Files::read() const {
  const auto credentials = std::make_shared<Credentials>();
  Status status = read_trust(config, *trust_stores, *credentials);
  for (const auto& part : {read_identity, read_authentication, read_headers, read_signing_keys}) {
    if (status.ok()) status = part(config, *credentials);
  }
  if (!status.ok()) return status.error();
  credentials->mask = mask_of(config, *credentials);
  return std::shared_ptr<const Credentials>(credentials);
}

CredentialStore::CredentialStore(std::shared_ptr<Files> files, Helper helper, Log& log)
    : files_(std::move(files)), helper_(std::move(helper)), log_(files_->config.name, log) {}

Result<std::unique_ptr<CredentialStore>> CredentialStore::open(
    const DestinationConfig& config, std::shared_ptr<TrustStores> trust_stores, Helper helper,
    Log& log) {
  auto files = std::make_shared<Files>(config, std::move(trust_stores));
  auto credentials = *files->look(true).read;
  if (!credentials.ok()) return credentials.error();
  std::unique_ptr<CredentialStore> store(
      new CredentialStore(std::move(files), std::move(helper), log));
  store->current_ = std::move(credentials.value());
  return store;
}

std::shared_ptr<const Credentials> CredentialStore::current(const Now& now) {
  if (files_->paths.empty()) return current_;
  if (!is_asked_ && now.mono >= look_again_at_) look(now);
  log_.tell(now);
  if (is_asked_) take_answer(now);
  if (looking_since_ && !is_wait_said_ && now.mono - *looking_since_ >= answer_wait_max) {
    is_wait_said_ = true;
    log_.unanswered(now);
  }
  return current_;
}

void CredentialStore::look(const Now& now) {
  look_again_at_ = now.mono + look_interval;
  if (!looking_since_) looking_since_ = now.mono;
  // Files that could not be read are tried again: the files may not have been the reason.
  is_asked_ = helper_([files = files_, must_read = !last_problem_.empty()] {
    Files::Answer found = files->look(must_read);
    const std::lock_guard lock(files->mutex);
    files->answer = std::move(found);
  });
}

void CredentialStore::take_answer(const Now& now) {
  std::optional<Files::Answer> answer;
  {
    const std::lock_guard lock(files_->mutex);
    answer.swap(files_->answer);
  }
  if (!answer) return;
  is_asked_ = false;
  looking_since_.reset();
  is_wait_said_ = false;
  if (!answer->read) return;
  auto& credentials = *answer->read;
  if (credentials.ok()) {
    current_ = std::move(credentials.value());
    last_problem_.clear();
    log_.read(now);
  } else if (answer->has_changed || credentials.error().message != last_problem_) {
    last_problem_ = credentials.error().message;
    log_.refused(last_problem_, now);
  }
}

}  // namespace outrider::sidecar

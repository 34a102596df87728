#include "sidecar/app/probe.hpp"

#include <map>
#include <memory>
#include <utility>

#include "sidecar/app/encode_settings.hpp"
#include "sidecar/app/limit_probe.hpp"
#include "sidecar/app/place_probe.hpp"
#include "sidecar/config/admin_address.hpp"
#include "sidecar/config/secret.hpp"
#include "sidecar/fanout/zmq_transport.hpp"
#include "sidecar/http/credentials.hpp"
#include "sidecar/http/http_settings.hpp"
#include "sidecar/inspect/spool_access.hpp"
#include "sidecar/schedule/recurrence.hpp"
#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {
namespace {

/// Clock, reactor, ZeroMQ, libcurl, the spool's files and the standard three.
constexpr std::uint64_t descriptors_of_all = 28;

std::uint64_t descriptors_of(const DestinationConfig& destination) {
  switch (destination.type) {
    case DestinationType::http:
      return 0;  // its connections come and go
    case DestinationType::file:
      return 2;
    case DestinationType::stdout_:
      return 1;
    case DestinationType::zmq:
      break;
  }
  // Its socket, the monitor of its peers, and the timer of its paths; or the context's.
  return has_own_context(destination) ? 9 : 4;
}

class Silence final : public Log {
 public:
  void write(LogLevel, std::string_view, LogFields) override {}
};

class Prober {
 public:
  Prober(const LoadedConfig& loaded, const std::string& file) : loaded_(loaded), file_(file) {}

  ProbeReport run();

 private:
  /// The place of a setting, with its name: "a.conf:3: path".
  std::string place(const std::string& title, const std::string& key, std::size_t index = 0) const;

  void note(const std::string& where, const Findings& findings);
  void listen(const std::string& where, const std::string& text, const std::string& group);
  /// The effect of a setting on a file.
  enum class Use : std::uint8_t { own, append, read };
  void claim(const std::string& where, const std::string& path, Use use = Use::own);
  void claim_read(const DestinationConfig& destination);
  void look_at_ingest();
  void look_at_spool();
  void look_at_admin();
  void look_at(const DestinationConfig& destination);
  bool has_running_sidecar() const;

  struct Claim {
    std::string where;
    Use use = Use::own;
  };

  const LoadedConfig& loaded_;
  const std::string& file_;
  ProbeReport report_;
  std::vector<std::string> busy_;
  TcpProbe tcp_;
  const std::shared_ptr<TrustStores> trust_stores_ = std::make_shared<TrustStores>();
  Silence log_;
  std::map<std::string, Claim> claims_;
};

std::string Prober::place(const std::string& title, const std::string& key,
                          std::size_t index) const {
  const auto given = loaded_.origins.find(title + "." + key);
  if (given != loaded_.origins.end() && index < given->second.size()) {
    return given->second[index].text() + ": " + key;
  }
  return file_ + ": [" + title + "] " + key + " (not set)";
}

void Prober::note(const std::string& where, const Findings& findings) {
  for (const Finding& finding : findings) {
    const std::string line = where + ": " + finding.text;
    switch (finding.kind) {
      case Finding::Kind::error:
        report_.errors.push_back(line);
        break;
      case Finding::Kind::in_use:
        busy_.push_back(line);
        break;
      case Finding::Kind::warning:
        report_.warnings.push_back(line);
        break;
    }
  }
}

/// Two things at one path. Files that are appended to get on with each other, more or less.
void Prober::claim(const std::string& where, const std::string& path, Use use) {
  const auto [claimed, is_new] = claims_.emplace(file_identity(path), Claim{where, use});
  if (is_new) return;
  const Claim& other = claimed->second;
  if (use == Use::read && other.use == Use::read) return;
  if (use == Use::append && other.use == Use::append) {
    note(where, {{Finding::Kind::warning, path + " is also written by another destination (" +
                                              other.where + "); their events will be mixed"}});
  } else {
    note(where, {{Finding::Kind::error, path + " is also used by another setting (" + other.where +
                                            "); choose another path"}});
  }
}

void Prober::listen(const std::string& where, const std::string& text, const std::string& group) {
  const Result<Endpoint> endpoint = parse_bind_endpoint(text);
  if (!endpoint.ok()) {
    note(where, {{Finding::Kind::error, endpoint.error().message}});
    return;
  }
  const std::string& path = endpoint.value().path;
  switch (endpoint.value().kind) {
    case Endpoint::Kind::ipc:
      claim(where, path);
      claim(where, lock_path(path));
      note(where, probe_socket(path, group));
      break;
    case Endpoint::Kind::tcp:
      note(where, tcp_.look(endpoint.value()));
      break;
    case Endpoint::Kind::inproc:
      note(
          where,
          {{Finding::Kind::error,
            text + " reaches nobody: inproc is only for a sidecar that is embedded in a program"}});
      break;
  }
}

void Prober::look_at_ingest() {
  const IngestConfig& ingest = loaded_.config.ingest;
  for (std::size_t i = 0; i < ingest.endpoints.size(); ++i) {
    listen(place("ingest", "endpoint", i), ingest.endpoints[i], ingest.socket_group);
  }
  if (loaded_.config.spool.path.empty()) return;
  listen(place("ingest", "confirm_endpoint"), ingest.confirm_endpoint, ingest.socket_group);
}

void Prober::look_at_spool() {
  const SpoolConfig& spool = loaded_.config.spool;
  if (spool.path.empty()) return;
  const std::string where = place("spool", "path");
  for (const char* suffix : {"", "-wal", "-shm", ".lock", ".reserve", ".memory"}) {
    claim(where, spool.path + suffix);
  }
  note(where, probe_spool(spool));
}

void Prober::look_at_admin() {
  const AdminConfig& admin = loaded_.config.admin;
  const AdminAddress address = admin_address(loaded_.config);
  const std::string where = place("admin", "listen");
  if (address.kind == AdminAddress::Kind::unix_socket) {
    claim(where, address.path);
    claim(where, lock_path(address.path));
    // The default is no reason not to start.
    if (!admin.listen.empty()) note(where, probe_socket(address.path, admin.socket_group));
  } else if (address.kind == AdminAddress::Kind::tcp) {
    listen(where, admin.listen, "");
  }
  const auto read = [&](const char* key, const std::string& path) {
    if (!path.empty()) claim(place("admin", key), path, Use::read);
  };
  read("token_file", file_of_source(admin.token_file));
  read("cert_file", admin.cert_file);
  read("key_file", admin.key_file);
}

void Prober::claim_read(const DestinationConfig& destination) {
  const auto read = [&](const char* key, const std::string& path, std::size_t index = 0) {
    if (!path.empty()) claim(place("destination." + destination.name, key, index), path, Use::read);
  };
  read("ca_file", destination.ca_file);
  read("cert_file", destination.cert_file);
  read("key_file", destination.key_file);
  read("bearer_token_file", file_of_source(destination.bearer_token_file));
  read("basic_auth_file", file_of_source(destination.basic_auth_file));
  read("proxy_auth_file", file_of_source(destination.proxy_auth_file));
  for (std::size_t i = 0; i < destination.secret_headers.size(); ++i) {
    const auto parts = split_secret_header(destination.secret_headers[i]);
    if (parts.ok()) read("secret_header", file_of_source(parts.value().second), i);
  }
  for (std::size_t i = 0; i < destination.signing_secret_files.size(); ++i) {
    read("signing_secret_file", file_of_source(destination.signing_secret_files[i]), i);
  }
}

void Prober::look_at(const DestinationConfig& destination) {
  claim_read(destination);
  const std::string title = "destination." + destination.name;
  const auto must = [&](const auto& result) {
    if (!result.ok())
      report_.errors.push_back(file_ + ": " + title + ": " + result.error().message);
  };
  must(make_encode_settings(destination));
  switch (destination.type) {
    case DestinationType::http:
      must(make_http_settings(destination, {}));
      must(CredentialStore::open(destination, trust_stores_, {}, log_));
      break;
    case DestinationType::file:
      claim(place(title, "path"), destination.path, Use::append);
      note(place(title, "path"), probe_file(destination.path));
      break;
    case DestinationType::stdout_:
      claim(place(title, "type"), "/dev/stdout", Use::append);
      note(place(title, "type"), probe_standard_output());
      break;
    case DestinationType::zmq:
      for (std::size_t i = 0; i < destination.urls.size(); ++i) {
        const std::string& url = destination.urls[i];
        if (destination.zmq_bind || url.starts_with("inproc://")) {
          listen(place(title, "url", i), url, "");
        }
      }
      break;
  }
}

bool Prober::has_running_sidecar() const {
  const IngestConfig& ingest = loaded_.config.ingest;
  for (const std::string& text : ingest.endpoints) {
    const Result<Endpoint> endpoint = parse_bind_endpoint(text);
    if (endpoint.ok() && endpoint.value().kind == Endpoint::Kind::ipc &&
        is_in_use(endpoint.value().path)) {
      return true;
    }
  }
  return false;
}

ProbeReport Prober::run() {
  claim(file_, file_);
  look_at_ingest();
  look_at_spool();
  look_at_admin();
  std::uint64_t descriptors = descriptors_of_all;
  for (const DestinationConfig& destination : loaded_.config.destinations) {
    look_at(destination);
    descriptors += descriptors_of(destination);
  }
  note(file_, probe_descriptors(loaded_.config, descriptors));
  note(file_, probe_memory(loaded_.config, memory_limit()));
  note(file_, probe_file_size(loaded_.config));
  note(file_, probe_thread_limit(loaded_.config));
  std::vector<std::string>& to = has_running_sidecar() ? report_.in_use : report_.errors;
  to.insert(to.end(), busy_.begin(), busy_.end());
  return std::move(report_);
}

}  // namespace

ProbeReport probe(const LoadedConfig& loaded, const std::string& file) {
  return Prober(loaded, file).run();
}

std::vector<std::string> schedules_ahead(const Config& config, const Now& now) {
  std::vector<std::string> lines;
  auto recurrence = Recurrence::make(config.schedules);
  if (config.spool.path.empty() || config.schedules.empty() || !recurrence.ok()) return lines;
  auto database = open_to_read(config.spool.path);
  if (!database.ok()) return lines;
  const Status read = guarded(config.spool.path, [&] {
    Statement marks(database.value(), "SELECT name, last_ns FROM schedule");
    while (marks.step()) {
      recurrence.value().restore(marks.text(0), static_cast<std::uint64_t>(marks.number(1)));
    }
  });
  if (!read.ok()) return lines;
  for (const auto& [name, until] : recurrence.value().find_ahead(now)) {
    std::string& line = lines.emplace_back("schedule ");
    line.append(name).append(" had its last run ahead of the clock and creates no events until ");
    line.append(until).append(
        "; if the clock was wrong, stop the sidecar and run `outrider spool reset-schedule`");
  }
  return lines;
}

}  // namespace outrider::sidecar

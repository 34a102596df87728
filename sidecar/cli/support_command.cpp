#include "sidecar/cli/support_command.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/cli/admin_arguments.hpp"
#include "sidecar/cli/support_text.hpp"
#include "sidecar/cli/version_command.hpp"
#include "sidecar/config/explain.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t output_bytes_max = 64U << 10U;
constexpr const char* unit_command =
    "systemctl show outrider.service --no-pager --property=ActiveState,SubState,Result,NRestarts,"
    "ExecMainStatus,ExecMainStartTimestamp,StatusText,MemoryCurrent,TasksCurrent,LimitNOFILE "
    "2>&1 </dev/null";

/// A part that fails is replaced by its error; the rest is still of use.
struct Bundle {
  std::string text;
  bool is_complete = true;

  void add(std::string_view title, std::string_view lines) {
    text += support_section(title, lines);
  }
  void fail(std::string_view title, const Error& error) {
    add(title, "not known: " + error.message);
    is_complete = false;
  }
};

// The configuration -------------------------------------------------------------------------------

std::string config_lines(const std::string& file, WallTime now) {
  if (file.empty()) return "not asked for; give --config FILE";
  const LoadResult result = load_config(file);
  if (result.ok()) {
    std::string lines = explain(result.loaded, now, Listing::given);
    for (const std::string& warning : result.loaded.warnings) lines += "warning: " + warning + "\n";
    return lines;
  }
  std::string lines;
  for (const Error& error : result.errors) lines += error.message + "\n";
  return lines;
}

// The process -------------------------------------------------------------------------------------

/// Who listens at the socket; 0: nobody, or nobody knows.
pid_t listener_of(const AdminAddress& address) {
  sockaddr_un where{};
  if (address.kind != AdminAddress::Kind::unix_socket ||
      address.path.size() >= sizeof where.sun_path) {
    return 0;
  }
  where.sun_family = AF_UNIX;
  std::memcpy(where.sun_path, address.path.data(), address.path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return 0;
  ucred peer{};
  socklen_t bytes = sizeof peer;
  const bool is_known =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 &&
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0;
  ::close(fd);
  return is_known ? peer.pid : 0;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string process_lines(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/";
  return "pid " + std::to_string(pid) + "\n" + file_text(folder + "limits") +
         file_text(folder + "status");
}

std::string unit_lines() {
  std::FILE* const pipe = ::popen(unit_command, "r");
  if (pipe == nullptr) return "not known: " + std::generic_category().message(errno);
  std::string text;
  std::array<char, 4096> bytes;
  for (std::size_t size = 0; (size = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    if (text.size() < output_bytes_max) text.append(bytes.data(), size);
  }
  ::pclose(pipe);
  return text;
}

// The admin interface -----------------------------------------------------------------------------

void add_process(Bundle& bundle, const AdminAddress& address) {
  const pid_t pid = listener_of(address);
  if (pid > 0) return bundle.add("process", process_lines(pid));
  bundle.fail("process", {"only the Unix socket of a running sidecar tells which one it is"});
}

void add_answers(Bundle& bundle, const AdminChoice& choice) {
  struct Part {
    const char* title;
    const char* path;
    bool is_json;
  };
  static constexpr std::array parts = {
      Part{"health", "/healthz", false}, Part{"readiness", "/readyz", false},
      Part{"stats", "/v1/stats", true}, Part{"changes", "/v1/changes", true}};
  const auto target = find_admin(choice);
  if (!target.ok()) return bundle.fail("running sidecar", target.error());
  AdminClient client(target.value());
  for (const Part& part : parts) {
    const auto reply = client.get(part.path);
    if (!reply.ok()) return bundle.fail("running sidecar", reply.error());
    Result<std::string> body = reply.value().body;
    // An error is JSON everywhere.
    if (part.is_json || reply.value().body.starts_with('{'))
      body = without_receiver_words(reply.value().body);
    if (!body.ok()) return bundle.fail(part.title, body.error());
    bundle.add(part.title, "status " + std::to_string(reply.value().status) + "\n" + body.value());
  }
  add_process(bundle, target.value().address);
}

// The file ----------------------------------------------------------------------------------------

/// outrider-support-20260131T120000Z.txt
std::string default_file(std::uint64_t now_ns) {
  TimeText time;
  std::string name(time.format_ns(now_ns).substr(0, sizeof("2026-01-31T12:00:00") - 1));
  std::erase_if(name, [](char c) { return c == '-' || c == ':'; });
  return "outrider-support-" + name + "Z.txt";
}

/// A new file that only its owner reads.
Status write_new_file(const std::string& path, const std::string& text) {
  const auto failure = [&] {
    return Error{"cannot write " + printable(path, 200) + ": " +
                 std::generic_category().message(errno)};
  };
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return failure();
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t written = ::write(fd, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const Error error = failure();
      ::close(fd);
      return error;
    }
    at += static_cast<std::size_t>(written);
  }
  if (::close(fd) != 0) return failure();
  return Nothing{};
}

}  // namespace

int support_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  std::string file;
  const ArgumentTable table{
      .usage = "outrider support [FILE]",
      .rows = with_admin_rows(choice),
      .positionals_max = 1,
      .take_positional = take_word(file),
      .notes =
          "Writes a new text file with versions, configuration, statistics, changes, limits\n"
          "and the state of the unit. Read it before you send it: it holds no secrets, no\n"
          "events and no text of a receiver, but the names of machines, files and destinations.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  const Now now = SystemClock().now();
  if (file.empty()) file = default_file(now.wall_ns());
  Bundle bundle;
  bundle.add("version", version_text());
  bundle.add("configuration", config_lines(choice.config_file, now.wall));
  add_answers(bundle, choice);
  bundle.add("systemd", unit_lines());
  if (const Status written = write_new_file(file, bundle.text); !written.ok()) {
    print_error(table, written.error().message);
    return exit_failed;
  }
  std::printf(
      "%s: versions, configuration, statistics, changes, limits and the unit's state;\n"
      "without secrets and events. Read it before you send it.\n",
      printable(file, 500).c_str());
  if (bundle.is_complete) return exit_done;
  std::fflush(stdout);
  print_error(table, "some parts are missing; the file says why");
  return exit_failed;
}

}  // namespace outrider::sidecar

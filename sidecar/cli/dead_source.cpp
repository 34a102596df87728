#include "sidecar/cli/dead_source.hpp"

#include <thread>
#include <utility>

#include "sidecar/base/text.hpp"
#include "sidecar/encode/event_json.hpp"

namespace outrider::sidecar {
namespace {

constexpr long status_not_found = 404;
constexpr long status_misdirected = 421;

class DeadFile final : public DeadSource {
 public:
  explicit DeadFile(std::string path) : path_(std::move(path)) {}

  Result<std::vector<DeadHead>> find(const DeadFilter& filter) override {
    std::vector<DeadHead> letters;
    Status known = Nothing{};
    const Status done = read_at_once([&](Database& database) {
      known = check_destination(database, filter.destination);
      if (known.ok()) letters = find_dead(database, filter);
    });
    if (!done.ok()) return done.error();
    if (!known.ok()) return known.error();
    return letters;
  }

  Result<std::optional<ShownLetter>> read(std::int64_t id) override {
    std::optional<DeadWhole> letter;
    const Status done = read_at_once([&](Database& database) { letter = read_dead(database, id); });
    if (!done.ok()) return done.error();
    if (!letter) return std::optional<ShownLetter>();
    ShownLetter shown{std::move(letter->head), std::move(letter->answer), {}};
    if (letter->record.empty()) return std::optional(std::move(shown));
    EventJson json;
    shown.event = printable_json(json.object(read_record(letter->record.data())));
    return std::optional(std::move(shown));
  }

  DeadChange change(DeadAction action, const DeadFilter&,
                    const std::vector<DeadHead>& letters) override {
    DeadChange change;
    change.status = wait_for_shared_memory(path_);
    if (!change.status.ok()) return change;
    auto store = open_to_write(path_);
    change.status = status_of(store);
    if (!change.status.ok()) return change;
    change.status = guarded(path_, [&] { apply(action, letters, *store.value(), change.changed); });
    if (!change.status.ok()) store.value()->roll_back();
    touch_spool(path_);
    return change;
  }

 private:
  /// One moment of the spool; nothing is held when it returns.
  Status read_at_once(const std::function<void(Database&)>& action) const {
    auto database = open_to_read(path_);
    if (!database.ok()) return database.error();
    return guarded(path_, [&] {
      const ReadTransaction moment(database.value());
      action(database.value());
    });
  }

  /// `done` counts the committed ones.
  static void apply(DeadAction action, const std::vector<DeadHead>& letters, Store& store,
                    std::uint64_t& done) {
    const SystemClock clock;
    for (std::size_t i = 0; i < letters.size();) {
      if (i > 0) std::this_thread::sleep_for(pause_between_letters);
      const std::size_t end = std::min(i + letters_at_once, letters.size());
      std::uint64_t changed = 0;
      store.begin(true);
      for (; i < end; ++i) changed += change_dead(store, action, letters[i].id, clock.now());
      store.commit();
      done += changed;
    }
  }

  const std::string path_;
};

/// The sidecar of the configuration, or the default one; null: there is none, and the reason.
std::unique_ptr<DeadSource> find_sidecar(const AdminChoice& choice, Status& reason) {
  const auto target = find_admin(choice);
  reason = status_of(target);
  if (!target.ok()) return nullptr;
  auto client = std::make_unique<AdminClient>(target.value());
  const auto reply = client->get("/v1/dead?limit=1");
  reason = status_of(reply);
  if (!reply.ok()) return nullptr;
  const long status = reply.value().status;
  if (status == status_not_found || status == status_misdirected) {
    reason = words_of(reply.value());
    return nullptr;
  }
  return open_dead_sidecar(std::move(client));
}

}  // namespace

Error words_of(const AdminReply& reply) {
  const std::string words = words_in(reply.body);
  if (!words.empty()) return {words};
  return {"the sidecar gave no reason (status " + std::to_string(reply.status) + ")"};
}

std::vector<ArgumentRow> with_dead_rows(DeadChoice& choice, std::vector<ArgumentRow> rows) {
  rows.insert(rows.begin(), {"spool", "PATH", "the file of the spool, without asking the sidecar",
                             store_text(choice.spool.path)});
  return with_admin_rows(choice.admin, std::move(rows));
}

std::unique_ptr<DeadSource> open_dead_file(const std::string& path) {
  return std::make_unique<DeadFile>(path);
}

std::optional<int> open_dead_source(const ArgumentTable& table,
                                    const std::vector<std::string>& arguments, DeadChoice& choice,
                                    std::unique_ptr<DeadSource>& source) {
  if (const auto status = read_arguments(table, arguments)) return *status;
  choice.spool.config_file = choice.admin.config_file;
  const bool has_config = !choice.spool.config_file.empty();
  const bool has_file = !choice.spool.path.empty();
  if (has_file && (has_config || !choice.admin.address.empty())) {
    print_error(table, "give --spool PATH alone: it is the file, without asking a sidecar");
    return exit_usage;
  }
  if (has_config) {
    if (const auto status = settle_spool(table, choice.spool)) return *status;
  }
  Status reason = Nothing{};
  if (!has_file) source = find_sidecar(choice.admin, reason);
  if (source != nullptr) return std::nullopt;
  if (!choice.spool.path.empty() && choice.admin.address.empty()) {
    source = open_dead_file(choice.spool.path);
    return std::nullopt;
  }
  print_error(table, reason.error().message + "; --spool PATH opens the file of a spool");
  return exit_failed;
}

}  // namespace outrider::sidecar

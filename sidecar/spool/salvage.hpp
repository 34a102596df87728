// Salvage: replaces a damaged spool by a new one with everything that can still be read.
//
// Used by StoreKeeper and repair_spool(). It goes through each table by its key and skips
// unreadable rows, in ever larger steps, so that it always ends, and then through all pages for
// rows that the tables do not lead to any more. Blocks and scheduled events are kept only if their
// checksum is right, dead letters if they are complete. The damaged files are renamed and never
// deleted; only an unusable first page is overwritten with that of a new spool.
//
// A crash at any point is harmless, and so is a rename that fails: the copy is made beside the
// damaged spool, gets a name that marks it as complete, and only then takes the place of the
// damaged one. Without a copy, an empty file has that name. finish_replacement() continues before
// the next opening.
//
// Thread: the storage thread's. Fails with: SqliteError when files cannot be made or renamed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sidecar/base/clock.hpp"
#include "sidecar/spool/database.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/exchange.hpp"

namespace outrider::sidecar {

struct Salvaged {
  std::string damaged_path;      ///< where the damaged spool is now
  std::uint64_t events = 0;      ///< kept, scheduled ones too
  std::uint64_t dead = 0;        ///< dead letters that were kept
  std::uint64_t unreadable = 0;  ///< rows, or stretches of rows, that are not in the copy
  bool has_copy = false;         ///< false: none could be made; the new one is empty
  bool is_without_room = false;  ///< that is why
  std::string because;           ///< otherwise
};

/// Gives a database that was emptied the pages of a new one, so that its log can be read: SQLite
/// removes the log of an empty one. Until it is replaced, a file beside it says
/// that it is damaged: by itself it does not look so.
void give_first_pages(const std::string& path, Disk& disk);
std::string emptied_path(const std::string& path);

/// Its tables and indexes are those of a spool, and begin at the same pages as those of each.
bool has_our_schema(Database& database);

/// The fate of a spool of which no copy can be made.
enum class WithoutCopy : std::uint8_t {
  begin_empty,  ///< it is set aside whole
  fail,         ///< it stays
};

/// The treatment of places that the system cannot read.
enum class UnreadPlaces : std::uint8_t {
  fail,       ///< they may be read later: the spool stays where it is
  step_over,  ///< they are as good as damaged
};

Salvaged replace_damaged(const std::string& path, Disk& disk, WithoutCopy without,
                         UnreadPlaces unread, const Now& now);

/// If a replacement was under way, it is complete now: where the damaged files are. A part of them
/// may have got the same name with a lower number before.
std::optional<std::string> finish_replacement(const std::string& path, Disk& disk, const Now& now);

}  // namespace outrider::sidecar

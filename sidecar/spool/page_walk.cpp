#include "sidecar/spool/page_walk.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "proto/bytes.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/table_walk.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t page_bytes = Store::page_bytes;
/// A page of the map has an entry for each of the pages after it.
constexpr std::size_t map_entry_bytes = 5;
constexpr std::uint64_t map_interval = page_bytes / map_entry_bytes + 1;
constexpr std::uint8_t map_root = 1;
constexpr std::uint8_t map_tree = 5;
constexpr std::uint8_t table_leaf = 0x0d;
constexpr std::uint8_t index_leaf = 0x0a;
constexpr std::uint8_t index_inner = 0x02;
constexpr std::size_t payload_min = (page_bytes - 12) * 32 / 255 - 23;
constexpr std::size_t table_payload_max = page_bytes - 35;
constexpr std::size_t index_payload_max = (page_bytes - 12) * 64 / 255 - 23;
constexpr std::size_t row_bytes_max = 64U << 20U;
constexpr std::size_t columns_max = 16;

/// Bytes from which less and less is left; a read beyond them gives zeroes and is noted.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::string_view take(std::size_t bytes) {
    is_sound_ = is_sound_ && bytes <= left_.size();
    if (!is_sound_) return {};
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  /// Big-endian, as everything in the file.
  std::uint64_t number(std::size_t bytes) { return proto::big_endian(take(bytes)); }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t byte = number(1);
      value = value << 7U | (byte & 0x7fU);
      if (byte < 0x80) return value;
    }
    return value << 8U | number(1);
  }
  bool is_sound() const { return is_sound_; }
  std::size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
  bool is_sound_ = true;
};

StoredValue value_of(std::uint64_t type, Reader& body) {
  constexpr std::uint64_t sizes[] = {0, 1, 2, 3, 4, 6, 8};
  if (type == 0) return {};
  if (type >= 12) {
    return {.kind = type % 2 == 0 ? 'b' : 't',
            .bytes = std::string(body.take(static_cast<std::size_t>((type - 12) / 2)))};
  }
  if (type == 8 || type == 9) return {.kind = 'i', .number = static_cast<std::int64_t>(type - 8)};
  if (type > 6) return {.kind = '?'};
  const std::uint64_t unused_bits = 64 - 8 * sizes[type];
  const std::uint64_t value = body.number(sizes[type]) << unused_bits;
  return {.kind = 'i', .number = static_cast<std::int64_t>(value) >> unused_bits};
}

class Walk {
 public:
  Walk(Disk& disk, const std::string& path, const TakeRow& take, bool is_read_error_passed_on)
      : disk_(disk), path_(path), take_(take), is_read_error_passed_on_(is_read_error_passed_on) {}

  void run() {
    const auto file = disk_.look_at(path_);
    pages_ = file ? file->bytes / page_bytes : 0;
    std::string map;
    for (std::uint64_t number = 2; number <= pages_; ++number) {
      const std::uint64_t entry = (number - 2) % map_interval;
      if (entry == 0) {
        map = page(number);
        continue;
      }
      Reader use(std::string_view(map).substr((entry - 1) * map_entry_bytes));
      const std::uint64_t type = use.number(1);
      if (type == map_root || type == map_tree) walk_page(page(number));
    }
  }

 private:
  std::string page(std::uint64_t number) {
    for (int attempt = 1; attempt <= read_attempts; ++attempt) {
      try {
        std::string bytes = disk_.read(path_, (number - 1) * page_bytes, page_bytes);
        bytes.resize(page_bytes);
        return bytes;
      } catch (const SqliteError&) {
        if (attempt == read_attempts && is_read_error_passed_on_) throw;
      }
    }
    return std::string(page_bytes, '\0');
  }

  /// A damaged page type is not trusted: a row that is parsed wrongly differs from the written one.
  void walk_page(const std::string& bytes) {
    const std::uint64_t type = Reader(bytes).number(1);
    const bool is_index = type == index_leaf || type == index_inner;
    if (!is_index) walk_cells(bytes, table_leaf);
    if (type == table_leaf) return;
    walk_cells(bytes, index_leaf);
    walk_cells(bytes, index_inner);
  }

  void walk_cells(const std::string& bytes, std::uint8_t type) {
    Reader head(bytes);
    head.take(3);
    const std::uint64_t cells = head.number(2);
    head.take(type == index_inner ? 7 : 3);
    for (std::uint64_t i = 0; i < cells && head.is_sound(); ++i) {
      const auto at = static_cast<std::size_t>(head.number(2));
      if (at >= bytes.size()) continue;
      Reader cell(std::string_view(bytes).substr(at));
      if (type == index_inner) cell.take(4);
      walk_cell(cell, type == table_leaf);
    }
  }

  void walk_cell(Reader& cell, bool has_key) {
    const std::uint64_t size = cell.varint();
    const std::int64_t key = has_key ? static_cast<std::int64_t>(cell.varint()) : 0;
    if (size > row_bytes_max) return;
    const auto payload = payload_of(cell, static_cast<std::size_t>(size), has_key);
    if (!payload) return;
    Reader start(*payload);
    const std::uint64_t head_bytes = start.varint();
    const std::size_t used = payload->size() - start.left();
    if (head_bytes < used || head_bytes > payload->size()) return;
    Reader types(std::string_view(*payload).substr(used, head_bytes - used));
    Reader body(std::string_view(*payload).substr(head_bytes));
    std::vector<StoredValue> row;
    while (types.left() > 0 && types.is_sound() && row.size() < columns_max) {
      row.push_back(value_of(types.varint(), body));
      if (row.back().kind == '.' && has_key) row.back().number = key;
    }
    if (types.is_sound() && body.is_sound() && !row.empty()) take_(row);
  }

  std::optional<std::string> payload_of(Reader& cell, std::size_t size, bool has_key) {
    const std::size_t max = has_key ? table_payload_max : index_payload_max;
    std::size_t local = size;
    if (size > max) {
      local = payload_min + (size - payload_min) % (page_bytes - 4);
      if (local > max) local = payload_min;
    }
    std::string payload(cell.take(local));
    std::uint64_t next = size > max ? cell.number(4) : 0;
    while (payload.size() < size && next >= 2 && next <= pages_) {
      const std::string more = page(next);
      Reader overflow(more);
      next = overflow.number(4);
      payload += overflow.take(std::min(size - payload.size(), page_bytes - 4));
      if (!overflow.is_sound()) return std::nullopt;
    }
    if (!cell.is_sound() || payload.size() != size) return std::nullopt;
    return payload;
  }

  Disk& disk_;
  const std::string& path_;
  const TakeRow& take_;
  const bool is_read_error_passed_on_;
  std::uint64_t pages_ = 0;
};

}  // namespace

void walk_pages(Disk& disk, const std::string& path, const TakeRow& take,
                bool is_read_error_passed_on) {
  Walk(disk, path, take, is_read_error_passed_on).run();
}

}  // namespace outrider::sidecar

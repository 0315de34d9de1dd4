#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/journal_damage.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/type_registry.hpp>
#include <microlith/persistence/internal/witness.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace microlith::internal {

namespace {

// Each follows a look that was overtaken by two commits. Reading what a look needs takes far less
// time than two commits do, so a reader that has been overtaken so often is not being scheduled.
constexpr unsigned journal_attempts = 10'000;

std::filesystem::path data_file_in(const std::filesystem::path& directory) {
  auto file = directory / "data.mdb";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    // Not `filesystem_error`'s words: they do not say what to do.
    auto why = error ? error.message() : "there is no data.mdb";
    throw storage_exception{
        {storage_error_kind::unusable,
         "cannot read a journal in " + directory.string() + ": " + why +
             ". Name a node's data directory: the one that holds the folder `journal`"}};
  }
  return file;
}

}  // namespace

journal_pages::journal_pages(const std::filesystem::path& directory)
    : directory_{directory}, file_{data_file_in(directory)} {
  refresh();
}

storage_error journal_pages::damaged(const std::string& what, std::uint64_t position) const {
  return damaged_journal(directory_, what, position);
}

void journal_pages::refresh() {
  for (unsigned attempt = 0; attempt < journal_attempts; ++attempt) {
    // Written after each commit, so what is read of it now is not ahead of what is looked at then.
    auto acknowledged = read_witness(directory_ / "witness");
    auto seen = file_.look();
    if (!seen) {
      if (file_.bytes() == 0)
        throw storage_exception{{storage_error_kind::unusable,
                                 "data.mdb in " + directory_.string() +
                                     " is empty, and no journal. If it held events, restore a "
                                     "backup; if not, a node makes it when it starts"}};
      throw storage_exception{damaged("neither meta page of data.mdb is one")};
    }
    if (seen->transaction == snapshot_.transaction && seen->page_bytes == snapshot_.page_bytes)
      return;
    snapshot_ = *seen;
    try {
      look();
      if (acknowledged)
        compare_with(*acknowledged);
      if (intact())
        return;
    } catch (const page_error& error) {
      if (intact())
        throw storage_exception{damaged(error.what())};
    } catch (const storage_exception&) {
      if (intact())
        throw;
    }
    snapshot_ = {};
  }
  throw storage_exception{
      {storage_error_kind::io, "cannot read the journal in " + directory_.string() +
                                   ": it is written to faster than it is read"}};
}

void journal_pages::look() {
  cursor_.reset();
  at_ = 0;
  records_ = {};
  types_tree_ = {};
  std::optional<journal_meta> meta;
  std::optional<journal_state> state;
  page_cursor main{file_, snapshot_, snapshot_.main};
  for (bool more = main.first(); more; more = main.next()) {
    auto is = [&](std::string_view name) { return std::ranges::equal(main.key(), as_key(name)); };
    if (is(journal_meta_key)) {
      meta = decode_meta(main.value());
      if (!meta)
        throw storage_exception{damaged("its description of itself does not fit its checksum")};
    } else if (is(journal_state_key)) {
      state = decode_journal_state(main.value());
      if (!state)
        throw storage_exception{damaged("its state does not fit its checksum")};
    } else if (is(records_table_name)) {
      records_ = main.tree().value_or(page_tree{});
    } else if (is(types_table_name)) {
      types_tree_ = main.tree().value_or(page_tree{});
    }
  }
  if (!meta && (state || records_.root != no_page || types_tree_.root != no_page))
    throw storage_exception{damaged("its description of itself is not there")};
  if (!meta)
    throw storage_exception{
        {storage_error_kind::unusable,
         "data.mdb in " + directory_.string() +
             " is no journal, or one that was never finished. If it held events, restore a "
             "backup"}};
  if (meta->format != journal_format)
    throw other_format{
        format_problem("the journal in " + directory_.string(), meta->format, journal_format)};
  meta_ = *meta;
  if (!state && records_.root != no_page)
    throw storage_exception{damaged("its state is missing")};
  state_ = state.value_or(journal_state{});

  page_cursor types{file_, snapshot_, types_tree_};
  std::size_t count = 0;
  for (bool more = types.first(); more; more = types.next()) {
    auto key = types.key();
    auto id = key.size() == 4 ? load_be<std::uint32_t>(key.data()) : 0;
    auto type = decode_type(id, types.value());
    if (!type || id != ++count)
      throw storage_exception{damaged("its table of types is not what was written")};
    // Views point to those that are there already.
    if (count > types_.size())
      types_.push_back(std::make_unique<stored_type>(std::move(*type)));
  }
}

void journal_pages::compare_with(const witnessed& acknowledged) const {
  if (acknowledged.epoch != meta_.epoch)
    return;
  // LMDB takes the older meta page where the newer one is damaged.
  if (snapshot_.transaction < acknowledged.transaction ||
      state_.last_position < acknowledged.position) {
    auto lost = damaged("its last commits are missing: it ends at event " +
                        std::to_string(state_.last_position) + ", and event " +
                        std::to_string(acknowledged.position) + " had been acknowledged");
    lost.position = state_.last_position + 1;
    throw storage_exception{lost};
  }
  if (state_.last_position == acknowledged.position &&
      state_.running_hash != acknowledged.running_hash)
    throw storage_exception{damaged("it is not what was acknowledged up to event " +
                                    std::to_string(acknowledged.position))};
}

std::string journal_pages::find_record(std::uint64_t position, parsed_record& out) {
  std::array<std::byte, 8> key;
  store_be(key.data(), position);
  bool found = false;
  try {
    if (!cursor_)
      cursor_.emplace(file_, snapshot_, records_);
    found = at_ != 0 && at_ + 1 == position ? cursor_->next() : cursor_->seek(key);
    at_ = 0;
    if (!found || !std::ranges::equal(cursor_->key(), key))
      return "it is missing";
    loaded_ = cursor_->value();
    if (const char* problem = parse_record(position, loaded_, out))
      return problem;
  } catch (const page_error& error) {
    at_ = 0;
    return error.what();
  }
  if (out.type == 0 || out.type > types_.size())
    return "its type is not in the table of types";
  at_ = position;
  out.view.type = types_[out.type - 1].get();
  return {};
}

std::optional<storage_error> journal_pages::load(std::uint64_t position, parsed_record& out) {
  for (unsigned attempt = 0; attempt < journal_attempts; ++attempt) {
    // A record whose checksum fits its position is the one that was written, whatever has become of
    // the pages on the way to it.
    auto problem = find_record(position, out);
    if (problem.empty())
      return std::nullopt;
    if (intact())
      return damaged(problem, position);
    refresh();
  }
  return storage_error{storage_error_kind::io, "cannot read the journal in " + directory_.string() +
                                                   ": it is written to faster than it is read"};
}

}  // namespace microlith::internal

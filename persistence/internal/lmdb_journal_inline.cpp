// Inline projections of the journal on disk: their rows go with the records of an append.
//
// Rows are written straight into the batch. Where an event cannot be applied the batch is given up,
// and tried once more without records, each request in a transaction of its own within it: what
// fails there is refused, and nothing else. Then the others are planned and written again.

#include <microlith/persistence/internal/lmdb_journal.hpp>

#include <utility>

namespace microlith::internal {

std::optional<storage_error> lmdb_journal::open_inline(
    const std::vector<projection_group>& projections) {
  if (projections.empty())
    return std::nullopt;
  auto refuse = [&](storage_error problem) {
    problem.text = "cannot open the inline projections beside the journal in " +
                   file_->directory().string() + ": " + problem.text;
    return problem;
  };
  for (;;) {
    try {
      if (!inline_)
        inline_ = std::make_unique<inline_rows>(projections, file_->env());
      if (auto problem = inline_->catch_up(*this))
        return refuse(std::move(*problem));
      return std::nullopt;
    } catch (const lmdb_error& error) {
      if (error.map_full() && file_->grow())
        continue;
      return refuse({error.out_of_space() ? storage_error_kind::full : storage_error_kind::unusable,
                     error.what()});
    }
  }
}

std::optional<std::string> lmdb_journal::apply_inline(const placed_event& placed,
                                                      MDB_txn* transaction,
                                                      std::uint64_t position) {
  const auto* type = file_->types().find(placed.type);
  if (type == nullptr || !inline_->wants(*type))
    return std::nullopt;
  parsed_record record;
  if (const char* problem = parse_record(position, record_, record))
    return std::string{problem};
  record.view.type = type;
  return inline_->apply(transaction, record.view);
}

void lmdb_journal::refuse_inapplicable(append_batch requests, std::span<append_outcome> outcomes,
                                       std::vector<bool>& decided, std::size_t found,
                                       const std::string& why) {
  auto refuse = [&](std::size_t request, const std::string& reason) {
    outcomes[request] = append_refused{{failure_kind::handler_failed, certainty::not_done,
                                        "nothing was appended: " + reason, requests[request]->id}};
    decided[request] = true;
  };
  bool any = false;
  lmdb_transaction batch{file_->env(), lmdb_transaction::access::write};
  auto position = file_->last_position();
  for (std::size_t i = 0; i < placed_.size();) {
    auto request = placed_[i].request;
    lmdb_transaction one{batch.get()};
    std::optional<std::string> problem;
    for (; i < placed_.size() && placed_[i].request == request; ++i) {
      ++position;
      std::uint64_t checksum = 0;
      // What cannot be encoded is found when it is written.
      if (!problem && !encode(placed_[i], *requests[request], position, checksum))
        problem = apply_inline(placed_[i], one.get(), position);
    }
    if (!problem) {
      one.commit();
      continue;
    }
    refuse(request, *problem);
    any = true;
  }
  if (!any)
    refuse(found, why);
}

}  // namespace microlith::internal

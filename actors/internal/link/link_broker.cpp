#include <microlith/actors/internal/link/link_broker.hpp>

#include <caf/all.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

using namespace std::chrono_literals;

/// How long a connection that is to be closed may take for its last words.
constexpr auto last_words = 200ms;

}  // namespace

link_broker::link_broker(link_options options, secret<std::string> key,
                         std::shared_ptr<const tls_context> tls,
                         std::vector<std::shared_ptr<outbox>> boxes, int listening)
    : options_{options},
      listening_{listening},
      // What is said would be open to all.
      dialler_{tls || options.insecure},
      engine_{std::move(options), std::move(key), std::move(tls), std::move(boxes), *this,
              // Back-off of two processes shall differ; nothing depends on its being a secret.
              message_id::make().low} {}

link_broker::~link_broker() {
  if (listening_ >= 0)
    ::close(listening_);
}

caf::behavior link_broker::run(caf::io::broker* self, link_events& to) {
  self_ = self;
  if (listening_ >= 0)
    self->add_doorman(std::exchange(listening_, -1));
  engine_.start(to, now());
  settle();
  return {
      // Held by the actor: whoever waits for its end may be gone before its last handler is.
      [this, held = shared_from_this()](const caf::io::new_connection_msg& message) {
        auto from = self_->remote_addr(message.handle) + ":" +
                    std::to_string(self_->remote_port(message.handle));
        if (stopped_) {
          self_->close(message.handle);
          return;
        }
        add(engine_.accepted(from, now()), message.handle);
        settle();
      },
      [this](const caf::io::new_data_msg& message) {
        auto found = by_handle_.find(message.handle);
        if (found == by_handle_.end())
          return;
        engine_.received(found->second->id, std::as_bytes(std::span{message.buf}), now());
        settle();
      },
      [this](const caf::io::data_transferred_msg& message) {
        auto found = by_handle_.find(message.handle);
        if (found == by_handle_.end())
          return;
        auto& socket = *found->second;
        socket.unwritten_bytes = message.remaining;
        if (!socket.abort_at)
          engine_.written(socket.id, socket.unwritten_bytes);
        else if (socket.unwritten_bytes == 0)
          close(socket, false);
        settle();
      },
      [this](const caf::io::connection_closed_msg& message) {
        auto found = by_handle_.find(message.handle);
        if (found == by_handle_.end())
          return;
        auto id = found->second->id;
        by_handle_.erase(found);
        sockets_.erase(id);
        engine_.closed(id, "the connection was closed", now());
        settle();
      },
      [this](const caf::io::acceptor_closed_msg&) {},
      [this](link_flush_atom) {
        engine_.flush();
        settle();
      },
      [this](link_tick_atom, std::uint64_t arming) {
        if (arming != arming_)
          return;
        armed_.reset();
        engine_.advance(now());
        settle();
      },
      [this](link_stop_atom) {
        if (stop_at_)
          return;
        stop_at_ = now() + options_.drain;
        engine_.begin_stop(now());
        settle();
      },
  };
}

void link_broker::add(connection_id id, caf::io::connection_handle handle) {
  auto made = std::make_unique<socket>();
  made->id = id;
  made->handle = handle;
  by_handle_[handle] = made.get();
  sockets_[id] = std::move(made);
  self_->ack_writes(handle, true);
  self_->configure_read(handle, caf::io::receive_policy::at_most(read_bytes));
}

void link_broker::dial(connection_id id, const std::string& address) {
  dialler_.dial(id, address, now());
}

void link_broker::knock(connection_id id, const std::string& address) {
  dialler_.knock(id, address, now());
}

void link_broker::take_dialled() {
  while (auto one = dialler_.take_outcome(now())) {
    if (one->problem.empty()) {
      // CAF keeps for ever what it is given and told to close in one turn: no knocks.
      if (one->descriptor >= 0)
        add(one->id, self_->add_scribe(one->descriptor));
      engine_.dialled(one->id, now());
    } else if (one->refused) {
      engine_.refused(one->id, one->problem, now());
    } else {
      engine_.closed(one->id, one->problem, now());
    }
  }
}

void link_broker::write(connection_id id, std::span<const std::byte> bytes) {
  auto found = sockets_.find(id);
  if (found == sockets_.end())
    return;
  auto& socket = *found->second;
  socket.unwritten_bytes += bytes.size();
  self_->write(socket.handle, bytes.size(), bytes.data());
  self_->flush(socket.handle);
}

void link_broker::finish(connection_id id) {
  dialler_.forget(id);
  auto found = sockets_.find(id);
  if (found == sockets_.end())
    return;
  if (found->second->unwritten_bytes == 0)
    close(*found->second, false);
  else
    found->second->abort_at = now() + last_words;
}

void link_broker::abort(connection_id id) {
  dialler_.forget(id);
  if (auto found = sockets_.find(id); found != sockets_.end())
    close(*found->second, true);
}

void link_broker::close(socket& which, bool at_once) {
  auto handle = which.handle;
  if (at_once) {
    // CAF would keep the socket until all is written, which a frozen peer never lets happen.
    auto descriptor = static_cast<int>(handle.id());
    linger none{1, 0};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)::shutdown(descriptor, SHUT_RDWR);
  }
  by_handle_.erase(handle);
  sockets_.erase(which.id);
  self_->close(handle);
}

void link_broker::settle() {
  take_dialled();
  auto time = now();
  for (auto next = sockets_.begin(); next != sockets_.end();) {
    auto& socket = *next++->second;
    if (socket.abort_at && *socket.abort_at <= time)
      close(socket, true);
  }
  end_if_done();
  if (!ended_)
    arm();
}

void link_broker::arm() {
  auto first = engine_.deadline();
  for (const auto& [id, socket] : sockets_)
    if (socket->abort_at)
      first = std::min(first, *socket->abort_at);
  if (stop_at_ && !stopped_)
    first = std::min(first, *stop_at_);
  first = std::min(first, dialler_.deadline());
  if (first == link_time::max() || (armed_ && *armed_ <= first))
    return;
  armed_ = first;
  self_->delayed_send(self_, std::max(first - now(), link_time::duration{}), link_tick_atom::value,
                      ++arming_);
}

void link_broker::end_if_done() {
  if (stop_at_ && !stopped_ && (engine_.drained() || now() >= *stop_at_)) {
    stopped_ = true;
    engine_.stop();
  }
  if (!stopped_ || !sockets_.empty() || ended_)
    return;
  self_->quit();
  std::lock_guard lock{mutex_};
  ended_ = true;
  ended_changed_.notify_all();
}

void link_broker::wait_for_end() {
  std::unique_lock lock{mutex_};
  ended_changed_.wait(lock, [&] { return ended_; });
}

}  // namespace microlith::internal

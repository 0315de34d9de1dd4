#pragma once

// What travels: who says what to whom in which conversation, and a shared immutable body.
//
// An envelope is a handle; copying it copies a reference count. In one process the body is never
// encoded; it is encoded once, lazily, when it leaves the process. All members may be called from
// any thread.

#include <microlith/messages/identity.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/messages/message_type.hpp>
#include <microlith/messages/recycled.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace microlith {

/// Who asks, established at the edge (gateway, tool). An empty subject is nobody.
struct principal {
  std::string subject = {};
  std::vector<std::string> roles = {};

  [[nodiscard]] bool has_role(std::string_view role) const {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  }
  friend bool operator==(const principal&, const principal&) = default;
};

/// A link that a message, or one that it descends from, came over. Not journaled.
struct hop {
  std::string node;          ///< that sent it
  message_id message;        ///< which message it was; empty where only the node matters
  std::uint64_t ticket = 0;  ///< the sender's number for it
  std::shared_ptr<const hop> before;
};

/// What all messages of a conversation share, and inherit from the first one.
struct conversation_facts {
  std::string origin;  ///< name of the node where the conversation began
  microlith::principal principal;
  std::map<std::string, std::string> headers;  ///< free, e.g. a trace id
  std::shared_ptr<const hop> came_by = {};     ///< the newest link; null: none so far
};

using steady_time = std::chrono::steady_clock::time_point;
using wall_time = std::chrono::sys_time<std::chrono::microseconds>;

/// All of an envelope but its type and body.
struct envelope_head {
  message_id id;
  correlation_id correlation;
  message_id causation;  ///< what caused it; empty for the first message from outside
  message_id
      root;  ///< the message dispatched from outside that it descends from; itself if it is that
  wall_time time{};
  steady_time deadline = steady_time::max();  ///< work past it is not begun
  std::uint64_t after = 0;  ///< a query is answered from rows that reflect this position
  std::uint16_t depth = 0;  ///< links of the causation chain before it
  std::shared_ptr<const conversation_facts> facts;
};

class envelope {
 public:
  envelope() = default;

  template <class T>
    requires any_message<std::remove_cvref_t<T>> envelope(envelope_head head, T&& body)
        : content_{make_content(head, std::forward<T>(body))} {}

    /// From bytes that another process or the journal wrote.
    [[nodiscard]] static result<envelope, decode_error> decode(envelope_head head,
                                                               const message_type& type,
                                                               std::uint16_t version,
                                                               std::span<const std::byte> body);

    [[nodiscard]] explicit operator bool() const {
      return content_ != nullptr;
    }

    [[nodiscard]] const envelope_head& head() const {
      return content_->head;
    }
    [[nodiscard]] const message_type& type() const {
      return *content_->type;
    }
    [[nodiscard]] const void* body() const {
      return content_->body;
    }

    /// The same message with another head: what middleware makes when it adds a header.
    [[nodiscard]] envelope with_head(envelope_head head) const;

    /// The body, if it is a `T`.
    template <any_message T>
    [[nodiscard]] const T* get_if() const {
      return content_->type == &type_of<T>() ? static_cast<const T*>(content_->body) : nullptr;
    }

    /// The body, which must be a `T`: moved out where nobody else holds the message, else a copy.
    template <any_message T>
    [[nodiscard]] T take() && {
      auto* own = content_.use_count() == 1 ? static_cast<T*>(content_->movable_body()) : nullptr;
      if (own == nullptr)
        return *static_cast<const T*>(content_->body);
      // What those who held it before have read of it comes before.
      std::atomic_thread_fence(std::memory_order_acquire);
      return std::move(*own);
    }

    /// The encoded body; encoded at the first call.
    [[nodiscard]] const bytes& encoded() const;

    /// "auth.login_command 018f… {email: a@b.c, password: ***}"
    [[nodiscard]] std::string print() const;

    /// Where the journal put it; 0 before that, and for what is not journaled.
    std::uint64_t position = 0;
    std::uint64_t stream_version = 0;

   private:
    struct content {
      content(envelope_head&& h, const message_type& t) : head{std::move(h)}, type{&t} {}
      content(const content&) = delete;
      content& operator=(const content&) = delete;
      virtual ~content();
      /// Where the body lies in the content itself.
      [[nodiscard]] virtual void* movable_body() const { return nullptr; }

      envelope_head head;
      const message_type* type;
      const void* body = nullptr;
      mutable std::atomic<const bytes*> encoded{nullptr};
    };

    template <class T>
    struct typed_content final : content {
      template <class U>
      typed_content(envelope_head&& h, U&& v)
          : content{std::move(h), type_of<T>()}, value(std::forward<U>(v)) {
        body = &value;
      }
      [[nodiscard]] void* movable_body() const override { return &value; }
      mutable T value;  // moved out by who alone holds the message
    };

    struct shared_content final : content {
      shared_content(envelope_head&& h, const message_type& t, std::shared_ptr<const void> b)
          : content{std::move(h), t}, value{std::move(b)} {
        body = value.get();
      }
      std::shared_ptr<const void> value;
    };

    template <class T>
    [[nodiscard]] static std::shared_ptr<const content> make_content(envelope_head& head,
                                                                     T&& body) {
      using content_type = typed_content<std::remove_cvref_t<T>>;
      return std::allocate_shared<const content_type>(internal::recycling_allocator<content_type>{},
                                                      std::move(head), std::forward<T>(body));
    }

    explicit envelope(std::shared_ptr<const content> c) : content_{std::move(c)} {}

    std::shared_ptr<const content> content_;
};

/// The facts of an envelope; those of nobody in particular where it has none.
[[nodiscard]] const conversation_facts& facts_of(const envelope_head& head);

}  // namespace microlith

#pragma once

// A reference to a callable, for visitors: no allocation, no ownership, valid only while the
// callable lives. A visitor that returns nothing is taken as one that always wants more.

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace microlith {

template <class Signature>
class function_ref;

template <class Result, class... Args>
class function_ref<Result(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, function_ref> &&
             std::is_invocable_v<F&, Args...>)
  function_ref(F&& function)  // NOLINT: converting by design
      : object_{const_cast<void*>(static_cast<const void*>(std::addressof(function)))},
        call_{[](void* object, Args... args) -> Result {
          auto& f = *static_cast<std::remove_reference_t<F>*>(object);
          if constexpr (std::is_void_v<std::invoke_result_t<F&, Args...>> &&
                        std::is_same_v<Result, bool>) {
            std::invoke(f, std::forward<Args>(args)...);
            return true;
          } else {
            return std::invoke(f, std::forward<Args>(args)...);
          }
        }} {}

  Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  Result (*call_)(void*, Args...);
};

}  // namespace microlith

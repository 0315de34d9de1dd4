#pragma once

// A value, or the error that took its place. Expected errors travel this way; exceptions do not.
//
// Reading (`if (!r) return r.error(); use(*r);`) never throws; `r.value()` throws what the error
// type's `throw_exception_from_error` throws.

#include <boost/system/result.hpp>

namespace microlith {

template <class T, class E>
using result = boost::system::result<T, E>;

}  // namespace microlith

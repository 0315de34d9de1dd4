#pragma once

// From a request to its handler, past the checks that all requests have in common.
//
// Routes are added before the server starts; after that the router is read only and may be used
// from any thread.

#include "auth/http/authority.hpp"
#include "auth/http/message.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace auth::http {

class router {
 public:
  explicit router(own_names names) : names_{std::move(names)} {}

  /// `method` is GET (which serves HEAD, too) or POST. `path` is exact; it names the route in
  /// metrics.
  void add(std::string_view method, std::string_view path, handler handler);

  /// Answers what does not belong here: another site's Host (421) or Origin (403), an unknown path
  /// (404) or method (405), a body that is not JSON (415). Calls the handler for the rest.
  void operator()(request request, responder respond) const;

 private:
  struct route {
    std::string path;
    std::map<std::string, handler, std::less<>> handlers;  // by method
  };

  [[nodiscard]] const route* find(std::string_view path) const;

  own_names names_;
  std::vector<route> routes_;
};

}  // namespace auth::http

#pragma once

// The files of the page, as they lie in page/; part of the binary.

#include <string_view>
#include <vector>

namespace auth {

struct page_file {
  std::string_view path;  ///< in URLs; "/" is index.html
  std::string_view content_type;
  std::string_view content;
};

[[nodiscard]] const std::vector<page_file>& page_files();

}  // namespace auth

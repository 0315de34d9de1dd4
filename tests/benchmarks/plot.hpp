#pragma once

// A plot of figures against the age of a journal, both logarithmic, as an SVG file.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct curve {
  std::string name;
  std::vector<double> values;  ///< one for each x
};

/// `xs` and all values are positive. The y axis spans whole decades.
inline void write_plot(const std::filesystem::path& file, const std::string& title,
                       const std::vector<double>& xs, const std::vector<curve>& curves) {
  constexpr double width = 720;
  constexpr double height = 420;
  constexpr double left = 60;
  constexpr double right = 200;
  constexpr double top = 40;
  constexpr double bottom = 50;
  static const char* const colors[] = {"#0b6e99", "#b3521d", "#3b7d23", "#7a3e9d", "#555555"};
  double low = 0;
  double high = 0;
  for (const auto& c : curves) {
    for (double v : c.values) {
      low = std::min(low, std::floor(std::log10(v)));
      high = std::max(high, std::ceil(std::log10(v)));
    }
  }
  high = std::max(high, low + 1);
  auto x_of = [&](double x) {
    auto share = (std::log10(x) - std::log10(xs.front())) /
                 std::max(std::log10(xs.back()) - std::log10(xs.front()), 1e-9);
    return left + share * (width - left - right);
  };
  auto y_of = [&](double y) {
    return height - bottom - (std::log10(y) - low) / (high - low) * (height - top - bottom);
  };
  auto number = [](double v) {
    auto text = std::to_string(v);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.')
      text.pop_back();
    return text;
  };
  std::ofstream out{file};
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
      << "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"" << width
      << "\" height=\"" << height << "\" fill=\"white\"/>\n<text x=\"" << left
      << "\" y=\"20\" font-size=\"14\">" << title << "</text>\n";
  auto line = [&](double x1, double y1, double x2, double y2, const char* color) {
    out << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2
        << "\" stroke=\"" << color << "\"/>\n";
  };
  auto label = [&](double x, double y, const char* anchor, const std::string& text) {
    out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">" << text
        << "</text>\n";
  };
  for (auto decade = low; decade <= high; ++decade) {
    auto y = y_of(std::pow(10, decade));
    line(left, y, width - right, y, decade == 0 ? "#999999" : "#dddddd");
    label(left - 8, y + 4, "end", number(std::pow(10, decade)));
  }
  for (double x : xs) {
    line(x_of(x), top, x_of(x), height - bottom, "#dddddd");
    label(x_of(x), height - bottom + 18, "middle",
          "10^" + std::to_string(static_cast<int>(std::lround(std::log10(x)))));
  }
  label((left + width - right) / 2, height - 10, "middle", "events in the journal");
  std::vector<std::pair<double, std::size_t>> ends;
  for (std::size_t c = 0; c < curves.size(); ++c) {
    const auto* color = colors[c % std::size(colors)];
    out << "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" << color << "\" points=\"";
    for (std::size_t i = 0; i < xs.size(); ++i)
      out << x_of(xs[i]) << ',' << y_of(curves[c].values[i]) << ' ';
    out << "\"/>\n";
    ends.emplace_back(y_of(curves[c].values.back()), c);
  }
  // Names beside the ends of the curves, kept apart.
  std::sort(ends.begin(), ends.end());
  double last = 0;
  for (auto [y, c] : ends) {
    last = std::max(y + 4, last + 15);
    out << "<text x=\"" << width - right + 8 << "\" y=\"" << last << "\" fill=\""
        << colors[c % std::size(colors)] << "\">" << curves[c].name << "</text>\n";
  }
  out << "</svg>\n";
}

}  // namespace bench

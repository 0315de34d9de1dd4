// The page in a real browser: what a person sees and can do.

#include "apps/auth/running_auth_node.hpp"
#include "support/browser.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <iostream>

using auth::test::running_auth_node;
using microlith::test::browser;

namespace {

struct open_page {
  microlith::test::temporary_directory data;
  running_auth_node node{data.path(), {"--registration-limit", "3"}};
  browser chromium{browser::find().value()};

  open_page() {
    chromium.open(node.url());
    chromium.wait_until(visible("visitor"));
  }

  ~open_page() {
    for (const auto& complaint : chromium.complaints())
      BOOST_ERROR("the page complains: " + complaint);
  }

  static std::string visible(const std::string& section) {
    return "!document.getElementById('" + section + "').hidden";
  }

  static std::string shows(const std::string& id, const std::string& text) {
    return "document.getElementById('" + id + "').textContent.includes('" + text + "')";
  }

  void fill(const std::string& id, const std::string& text) {
    chromium.click("#" + id);
    chromium.evaluate("document.getElementById('" + id + "').select()");
    chromium.type(text);
  }

  void submit(const std::string& email, const std::string& password) {
    fill("email", email);
    fill("password", password);
    chromium.click("#submit");
  }

  void register_user(const std::string& email) {
    chromium.click("#switch");
    submit(email, "correct horse");
    chromium.wait_until(visible("member"));
  }

  void sign_out() {
    chromium.click("#logout");
    chromium.wait_until(visible("visitor"));
  }

  // What has the focus: its id, or else its words.
  std::string focus() {
    return chromium.text("document.activeElement.id || document.activeElement.textContent");
  }

  void expect_no_sideways_scrolling(const std::string& where) {
    BOOST_TEST(chromium.holds("document.documentElement.scrollWidth <= innerWidth"), where);
  }
};

// The whole suite is skipped where there is no browser, and says so.
boost::test_tools::assertion_result has_browser(boost::unit_test::test_unit_id) {
  if (browser::find())
    return true;
  std::cout << "skipped: no Chromium is installed; cmake/bootstrap --browser installs it"
            << std::endl;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page, *boost::unit_test::precondition(has_browser))

BOOST_AUTO_TEST_CASE(a_person_registers_sees_who_they_are_and_signs_out_and_in_again) {
  open_page page;
  page.register_user("Alice@Example.org");
  BOOST_TEST(page.chromium.text("document.getElementById('member-email').textContent") ==
             "alice@example.org");
  BOOST_TEST(page.chromium.text("document.getElementById('member-role').textContent") == "User");
  BOOST_TEST(page.chromium.holds(page.shows("member-expiry", "You stay signed in until")));

  page.chromium.open(page.node.url());
  page.chromium.wait_until(page.visible("member"));

  page.sign_out();
  BOOST_TEST(page.chromium.holds(page.shows("visitor-news", "You are signed out.")));
  page.submit("alice@example.org", "correct horse");
  page.chromium.wait_until(page.visible("member"));
}

BOOST_AUTO_TEST_CASE(errors_are_shown_in_words) {
  open_page page;
  auto& chromium = page.chromium;
  page.submit("nonsense", "correct horse");
  chromium.wait_until(page.shows("email-error", "Enter an e-mail address"));
  BOOST_TEST(page.focus() == "email");
  BOOST_TEST(chromium.holds("document.getElementById('email').getAttribute('aria-invalid')"));

  page.submit("alice@example.org", "correct horse");
  chromium.wait_until(page.shows("form-error", "The e-mail or the password is not right."));

  chromium.click("#switch");
  page.submit("alice@example.org", "short");
  chromium.wait_until(page.shows("password-error", "at least 8 characters"));

  page.submit("alice@example.org", "correct horse");
  chromium.wait_until(page.visible("member"));
  page.sign_out();
  chromium.click("#switch");
  page.submit("alice@example.org", "another horse");
  chromium.wait_until(page.shows("email-error", "There is an account with this e-mail already"));
}

BOOST_AUTO_TEST_CASE(too_many_attempts_name_the_wait) {
  open_page page;
  page.chromium.click("#switch");
  for (int i = 0; i < 3; ++i) {
    const std::string body =
        R"({"email":"user)" + std::to_string(i) + R"(@example.org","password":"correct horse"})";
    BOOST_TEST(page.node.call("POST", "/api/register", body).status == 201);
  }
  page.submit("alice@example.org", "correct horse");
  page.chromium.wait_until(page.shows("form-error", "That were too many attempts. Try again in "));
}

BOOST_AUTO_TEST_CASE(everything_works_with_the_keyboard_alone) {
  open_page page;
  auto& chromium = page.chromium;
  auto tab_to = [&](const std::string& id) {
    for (int i = 0; i < 10 && page.focus() != id; ++i)
      chromium.press("Tab");
    BOOST_TEST_REQUIRE(page.focus() == id);
  };
  tab_to("switch");
  chromium.press("Enter");
  BOOST_TEST(page.focus() == "email");
  chromium.type("alice@example.org");
  chromium.press("Tab");
  BOOST_TEST(page.focus() == "password");
  chromium.type("correct horse");
  chromium.press("Tab");
  BOOST_TEST(page.focus() == "reveal");
  chromium.press("Space");
  BOOST_TEST(chromium.text("document.getElementById('password').type") == "text");
  chromium.press("Tab");
  BOOST_TEST(page.focus() == "submit");
  chromium.press("Enter");
  chromium.wait_until(page.visible("member"));
  BOOST_TEST(page.focus() == "member-title");
  tab_to("logout");
  chromium.press("Enter");
  chromium.wait_until(page.visible("visitor"));
  BOOST_TEST(page.focus() == "visitor-title");

  tab_to("email");
  chromium.type("x");
  chromium.press("Enter");
  chromium.wait_until(page.shows("email-error", "Enter an e-mail address"));
}

BOOST_AUTO_TEST_CASE(what_has_the_focus_can_be_seen) {
  open_page page;
  for (const auto* id : {"email", "password", "reveal", "submit", "switch"}) {
    page.chromium.press("Tab");
    BOOST_TEST(page.focus() == id);
    BOOST_TEST(
        page.chromium.holds("getComputedStyle(document.activeElement).outlineStyle === 'solid'"),
        id);
  }
}

BOOST_AUTO_TEST_CASE(every_field_has_a_label_and_every_section_a_heading) {
  open_page page;
  BOOST_TEST(page.chromium.holds(
      "[...document.querySelectorAll('input')].every(i => i.labels.length === 1)"));
  BOOST_TEST(
      page.chromium.holds("[...document.querySelectorAll('section[aria-labelledby]')]"
                          ".every(s => s.querySelector('#' + s.getAttribute('aria-labelledby')))"));
  BOOST_TEST(page.chromium.holds(
      "[...document.querySelectorAll('[aria-describedby]')].every(e => "
      "e.getAttribute('aria-describedby').split(' ').every(id => document.getElementById(id)))"));
  BOOST_TEST(page.chromium.text("document.documentElement.lang") == "en");
}

BOOST_AUTO_TEST_CASE(a_phone_needs_no_sideways_scrolling) {
  open_page page;
  page.chromium.resize(320, 568, true);
  page.expect_no_sideways_scrolling("signing in");
  BOOST_TEST(page.chromium.holds(
      "[...document.querySelectorAll('button, input')].filter(e => e.offsetParent)"
      ".every(e => e.getBoundingClientRect().height >= 44)"));
  page.register_user(std::string(64, 'a') + "@" + std::string(60, 'b') + ".example.org");
  page.expect_no_sideways_scrolling("signed in with a long e-mail");
}

BOOST_AUTO_TEST_CASE(text_has_contrast_in_light_and_dark) {
  open_page page;
  // WCAG 2.1, 1.4.3: relative luminance and contrast ratio.
  const std::string least_contrast = R"((() => {
    const parse = c => c.match(/[\d.]+/g).slice(0, 3).map(Number);
    const luminance = c => { const [r, g, b] = parse(c).map(v => { v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const background = e => { for (; e; e = e.parentElement) { const c =
      getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c; } };
    document.getElementById('form-error').textContent = 'An error';
    document.getElementById('visitor-news').textContent = 'News';
    let least = 21;
    for (const e of document.querySelectorAll('h1, p, label, button, .brand')) {
      if (!e.offsetParent || !e.textContent.trim()) continue;
      const [a, b] = [luminance(getComputedStyle(e).color), luminance(background(e))];
      least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least; })())";
  for (bool dark : {false, true}) {
    page.chromium.set_dark(dark);
    page.chromium.wait_until("document.getAnimations().length === 0");
    BOOST_TEST(page.chromium.evaluate(least_contrast).to_number<double>() >= 4.5, dark);
  }
}

BOOST_AUTO_TEST_CASE(a_lost_connection_is_told_and_survived) {
  open_page page;
  auto& chromium = page.chromium;
  page.register_user("alice@example.org");
  page.sign_out();
  chromium.set_offline(true);
  page.submit("alice@example.org", "correct horse");
  chromium.wait_until(page.shows("offline", "The server cannot be reached."));
  chromium.set_offline(false);
  chromium.click("#submit");
  chromium.wait_until(page.visible("member"));
  BOOST_TEST(chromium.holds("document.getElementById('offline').hidden"));
}

BOOST_AUTO_TEST_CASE(a_registration_whose_answer_is_lost_is_sent_again_and_is_the_same) {
  open_page page;
  auto& chromium = page.chromium;
  chromium.evaluate(
      "{ const send = fetch; window.fetch = async (...all) => { window.fetch = send;"
      " await send(...all); throw new TypeError('lost'); }; }");
  chromium.click("#switch");
  page.submit("alice@example.org", "correct horse");
  chromium.wait_until(page.shows("form-error", "No answer came"));
  chromium.click("#submit");
  chromium.wait_until(page.visible("member"));
}

BOOST_AUTO_TEST_CASE(a_double_click_registers_once) {
  open_page page;
  auto& chromium = page.chromium;
  chromium.evaluate(
      "{ const send = fetch; window.sent = []; window.fetch = (...all) => {"
      " window.sent.push(all[0]); return send(...all); }; }");
  chromium.click("#switch");
  page.fill("email", "alice@example.org");
  page.fill("password", "correct horse");
  chromium.evaluate("{ const b = document.getElementById('submit'); b.click(); b.click(); }");
  chromium.wait_until(page.visible("member"));
  BOOST_TEST(chromium.text("window.sent.join(' ')") == "/api/register /api/login /api/me");
  // Back and forth between pages, whoever has signed in is still there.
  chromium.evaluate("location.href = '/icon.svg'");
  chromium.wait_until("location.pathname === '/icon.svg'");
  chromium.evaluate("history.back()");
  chromium.wait_until("location.pathname === '/' && " + page.visible("member"));
}

BOOST_AUTO_TEST_CASE(what_is_typed_is_not_cut_to_what_would_do) {
  open_page page;
  auto& chromium = page.chromium;
  chromium.click("#switch");
  page.submit("älice@example.org", "correct horse");
  chromium.wait_until(page.shows("email-error", "without letters such as"));
  page.submit(std::string(300, 'a') + "@example.org", "correct horse");
  chromium.wait_until(page.shows("email-error", "Enter an e-mail address, such as"));
  // 1,024 characters, twice as many bytes.
  std::string umlauts;
  for (int i = 0; i < 1'024; ++i)
    umlauts += "ü";
  page.submit("alice@example.org", umlauts);
  chromium.wait_until(page.shows("password-error", "Choose a shorter password"));
  umlauts.resize(1'024);
  page.submit("alice@example.org", umlauts);
  chromium.wait_until(page.visible("member"));
  page.sign_out();
  page.submit("alice@example.org", umlauts + "ü");
  chromium.wait_until(page.shows("form-error", "The e-mail or the password is not right."));
  page.submit("alice@example.org", umlauts);
  chromium.wait_until(page.visible("member"));
}

BOOST_AUTO_TEST_CASE(a_sign_in_that_has_ended_is_told) {
  open_page page;
  page.register_user("alice@example.org");
  // Signed out elsewhere: the page learns it when its user comes back.
  page.chromium.evaluate("fetch('/api/logout', {method: 'POST'})");
  page.chromium.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  page.chromium.wait_until(page.visible("visitor"));
  BOOST_TEST(page.chromium.holds(page.shows("visitor-news", "Your sign-in has ended")));
}

BOOST_AUTO_TEST_CASE(nothing_from_elsewhere_can_run_in_it) {
  open_page page;
  BOOST_TEST(page.chromium.holds("document.cookie === ''"));
  auto policy = page.node.call("GET", "/").header("content-security-policy");
  BOOST_TEST(policy.starts_with("default-src 'none'; script-src 'self';"));
  BOOST_TEST(policy.find("unsafe") == std::string::npos);
  BOOST_TEST(policy.find("frame-ancestors 'none'") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

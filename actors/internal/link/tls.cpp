#include <microlith/actors/internal/link/certificate.hpp>
#include <microlith/actors/internal/link/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <limits>
#include <new>
#include <system_error>

namespace microlith::internal {

namespace {

std::string last_error() {
  auto code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason is known" : reason;
}

// Why a file cannot be used. What the system said comes before what OpenSSL makes of it.
std::string file_error() {
  auto first = ERR_peek_error();
  if (!ERR_SYSTEM_ERROR(first))
    return last_error();
  ERR_clear_error();
  return "it cannot be read (" + std::generic_category().message(ERR_GET_REASON(first)) + ')';
}

SSL_CTX* context_of(void* context) {
  return static_cast<SSL_CTX*>(context);
}

SSL* tls_of(void* tls) {
  return static_cast<SSL*>(tls);
}

BIO* bio_of(void* bio) {
  return static_cast<BIO*>(bio);
}

int bounded(std::size_t size) {
  return static_cast<int>(
      std::min(size, static_cast<std::size_t>(std::numeric_limits<int>::max())));
}

}  // namespace

result<std::shared_ptr<const tls_context>, storage_error> tls_context::load(const link_tls& files) {
  std::shared_ptr<tls_context> made{new tls_context};
  auto* context = SSL_CTX_new(TLS_method());
  if (context == nullptr)
    throw std::bad_alloc{};
  made->context_ = context;
  auto refused = [](const std::string& what, const std::filesystem::path& file) {
    return storage_error{storage_error_kind::unusable,
                         "cannot use " + what + " " + file.string() +
                             " for links: " + file_error() +
                             ". Name PEM files that fit each other in [tls] of the cluster file"};
  };
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // The connection's memory goes when it is idle; links are few, but strangers may be many.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    return refused("the certificate", files.certificate);
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return refused("the key", files.key);
  if (SSL_CTX_load_verify_locations(context, files.authority.c_str(), nullptr) != 1)
    return refused("the authority", files.authority);
  return std::shared_ptr<const tls_context>{std::move(made)};
}

tls_context::~tls_context() {
  SSL_CTX_free(context_of(context_));
}

tls_channel::tls_channel(std::shared_ptr<const tls_context> context, bool dials)
    : context_{std::move(context)} {
  auto* tls = SSL_new(context_of(context_->context_));
  auto* input = BIO_new(BIO_s_mem());
  auto* output = BIO_new(BIO_s_mem());
  if (tls == nullptr || input == nullptr || output == nullptr)
    throw std::bad_alloc{};
  BIO_set_mem_eof_return(input, -1);
  SSL_set_bio(tls, input, output);
  if (dials)
    SSL_set_connect_state(tls);
  else
    SSL_set_accept_state(tls);
  tls_ = tls;
  input_ = input;
  output_ = output;
}

tls_channel::~tls_channel() {
  SSL_free(tls_of(tls_));
}

std::string tls_channel::problem(const char* doing, int result) const {
  auto* tls = tls_of(tls_);
  switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {};
    case SSL_ERROR_ZERO_RETURN:
      return "it ended the encrypted connection";
    default:
      break;
  }
  auto verdict = SSL_get_verify_result(tls);
  if (verdict != X509_V_OK) {
    ERR_clear_error();
    return std::string{"its certificate is not accepted: "} +
           X509_verify_cert_error_string(verdict);
  }
  return std::string{doing} + " failed: " + last_error();
}

std::string tls_channel::shake() {
  ERR_clear_error();
  auto done = SSL_do_handshake(tls_of(tls_));
  if (done == 1) {
    established_ = true;
    return {};
  }
  return problem("the TLS handshake", done);
}

std::string tls_channel::take(std::span<const std::byte> cipher, link_bytes& plain) {
  // A memory BIO takes all or fails for want of memory.
  if (!cipher.empty() &&
      BIO_write(bio_of(input_), cipher.data(), bounded(cipher.size())) != bounded(cipher.size()))
    throw std::bad_alloc{};
  if (!established_) {
    if (auto why = shake(); !why.empty() || !established_)
      return why;
  }
  while (true) {
    constexpr std::size_t step = SSL3_RT_MAX_PLAIN_LENGTH;
    auto before = plain.size();
    plain.resize(before + step);
    ERR_clear_error();
    auto got = SSL_read(tls_of(tls_), plain.data() + before, static_cast<int>(step));
    plain.resize(before + static_cast<std::size_t>(std::max(got, 0)));
    if (got <= 0)
      return problem("reading the encrypted connection", got);
  }
}

std::string tls_channel::put(std::span<const std::byte> plain) {
  while (!plain.empty()) {
    ERR_clear_error();
    auto done = SSL_write(tls_of(tls_), plain.data(), bounded(plain.size()));
    if (done <= 0) {
      auto why = problem("writing the encrypted connection", done);
      return why.empty() ? "writing the encrypted connection failed" : why;
    }
    plain = plain.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

void tls_channel::take_output(link_bytes& cipher) {
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(bio_of(output_), &bytes);
  if (size <= 0)
    return;
  auto all = std::as_bytes(std::span{bytes, static_cast<std::size_t>(size)});
  cipher.insert(cipher.end(), all.begin(), all.end());
  (void)BIO_reset(bio_of(output_));
}

bool tls_channel::names(std::string_view node) const {
  std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(tls_of(tls_)),
                                                          &X509_free};
  return certificate_names(certificate.get(), node);
}

}  // namespace microlith::internal

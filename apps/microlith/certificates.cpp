#include "microlith/certificates.hpp"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <new>
#include <stdexcept>

namespace tool {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using memory_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;

constexpr int serial_bits = 127;

template <class T>
T* there(T* made) {
  if (made == nullptr)
    throw std::bad_alloc{};
  return made;
}

memory_ptr memory() {
  return memory_ptr{there(BIO_new(BIO_s_mem()))};
}

std::string content_of(BIO& memory) {
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(&memory, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

void extend(X509& certificate, X509& issuer, int extension, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  auto* made = X509V3_EXT_conf_nid(nullptr, &context, extension, value.c_str());
  if (made == nullptr)
    throw std::invalid_argument{"'" + value + "' cannot stand in a certificate"};
  X509_add_ext(&certificate, made, -1);
  X509_EXTENSION_free(made);
}

certificate_ptr unsigned_certificate(const std::string& name, EVP_PKEY& key, validity valid) {
  certificate_ptr made{there(X509_new())};
  X509_set_version(made.get(), 2);
  std::unique_ptr<BIGNUM, freed_by<BN_free>> serial{there(BN_new())};
  BN_rand(serial.get(), serial_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get()));
  ASN1_TIME_set(X509_getm_notBefore(made.get()), valid.from.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(made.get()), valid.to.time_since_epoch().count());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(made.get(), &key);
  return made;
}

certificate_and_key written(X509& certificate, EVP_PKEY& key) {
  auto certificate_text = memory();
  auto key_text = memory();
  if (PEM_write_bio_X509(certificate_text.get(), &certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1)
    throw std::bad_alloc{};
  return {content_of(*certificate_text), content_of(*key_text)};
}

void sign(X509& certificate, EVP_PKEY& with) {
  if (X509_sign(&certificate, &with, EVP_sha256()) == 0)
    throw std::runtime_error{"a certificate cannot be signed"};
}

}  // namespace

certificate_and_key make_authority(const std::string& name, validity valid) {
  key_ptr key{there(EVP_EC_gen("P-256"))};
  auto made = unsigned_certificate(name, *key, valid);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  extend(*made, *made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  extend(*made, *made, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(*made, *made, NID_subject_key_identifier, "hash");
  sign(*made, *key);
  return written(*made, *key);
}

certificate_and_key issue_certificate(const certificate_and_key& authority, const std::string& node,
                                      validity valid) {
  memory_ptr certificate_text{BIO_new_mem_buf(authority.certificate.data(),
                                              static_cast<int>(authority.certificate.size()))};
  memory_ptr key_text{
      BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size()))};
  certificate_ptr issuer{PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr)};
  key_ptr issuer_key{PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr)};
  if (!issuer || !issuer_key)
    throw std::invalid_argument{"the authority's certificate or key is not readable PEM"};
  key_ptr key{there(EVP_EC_gen("P-256"))};
  auto made = unsigned_certificate(node, *key, valid);
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get()));
  extend(*made, *issuer, NID_basic_constraints, "critical,CA:FALSE");
  extend(*made, *issuer, NID_key_usage, "critical,digitalSignature");
  extend(*made, *issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  extend(*made, *issuer, NID_authority_key_identifier, "keyid");
  extend(*made, *issuer, NID_subject_alt_name, "DNS:" + node);
  sign(*made, *issuer_key);
  return written(*made, *key);
}

}  // namespace tool

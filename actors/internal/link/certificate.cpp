#include <microlith/actors/internal/link/certificate.hpp>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

namespace microlith::internal {

bool certificate_names(const void* x509, std::string_view node) {
  if (x509 == nullptr || node.empty())
    return false;
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names{
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(static_cast<const X509*>(x509), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free};
  if (!names)
    return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type != GEN_DNS)
      continue;
    std::string_view text{reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName)),
                          static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName))};
    if (text == node)
      return true;
  }
  return false;
}

std::string problem_with_certificate(const std::filesystem::path& file, std::string_view node) {
  std::unique_ptr<BIO, decltype(&BIO_free)> from{BIO_new_file(file.c_str(), "r"), &BIO_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate{
      from ? PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr) : nullptr, &X509_free};
  if (!certificate)
    return {};  // loading it says why
  std::string name{node};
  if (!certificate_names(certificate.get(), node))
    return "no subject alternative name of it is DNS:" + name;
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0)
    return "it has expired";
  if (X509_cmp_current_time(X509_get0_notBefore(certificate.get())) > 0)
    return "it is not valid yet";
  return {};
}

}  // namespace microlith::internal

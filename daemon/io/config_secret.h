/* Secrets that a configuration refers to. Private to io/config*. */
#ifndef SLATED_IO_CONFIG_SECRET_H
#define SLATED_IO_CONFIG_SECRET_H

#include "config_load.h"

/* The secret that one of the two settings names, without white space at its end. NULL when neither is there, after a
 * problem, or with CONFIG_NO_SECRETS. */
char *loader_secret(struct loader *loader, const config_setting_t *group, const char *credential_key,
                    const char *file_key);

/* The lines of a webhook's secret_credential or secret_file. */
char **loader_signing_secrets(struct loader *loader, const config_setting_t *group, size_t *ret_n);

/* The address in url_credential or url_file. */
char *loader_secret_url(struct loader *loader, const config_setting_t *group);

/* An address that is given as url itself or as such a secret, but not both. */
char *loader_either_url(struct loader *loader, const config_setting_t *group);

/* Whether a URL has that scheme, or that and an "s", and a host. */
bool url_is(const char *url, const char *scheme);

/* Whether such a URL leads nowhere but to this host. */
bool url_is_loopback(const char *url);

#endif

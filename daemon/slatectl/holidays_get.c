#include "holidays_get.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"
#include "slated/render.h"

/* As large as any file of a configuration. */
#define FEED_MAX        (16U << 20)
#define TIMEOUT_SECONDS 60L
#define REDIRECTS_MAX   5L

static size_t
on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct text *body = arg;

	if (body->len + size * n > FEED_MAX)
		return 0; /* ends the transfer */
	text_add(body, bytes, size * n);
	return body->failed ? 0 : size * n;
}

static CURLcode
transfer(CURL *curl, const char *url, struct text *body)
{
	CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);

	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_SECONDS);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	return code == CURLE_OK ? curl_easy_perform(curl) : code;
}

static int
get_url(const char *url, char **ret, size_t *ret_len)
{
	CURL *curl = curl_easy_init();
	char why[CURL_ERROR_SIZE] = "";
	struct text body = {0};
	CURLcode code = CURLE_OUT_OF_MEMORY;

	text_add_string(&body, "");
	if (curl != NULL)
		code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	if (code == CURLE_OK)
		code = transfer(curl, url, &body);
	curl_easy_cleanup(curl);
	if (code == CURLE_OK && !body.failed) {
		*ret = body.data;
		*ret_len = body.len;
		return 0;
	}
	bool large = code == CURLE_WRITE_ERROR && !body.failed;
	fprintf(stderr, "slatectl holidays: %s: %s\n", url,
	        large            ? "it has more than 16 MiB, so it is no feed"
	        : why[0] != '\0' ? why
	                         : curl_easy_strerror(code));
	free(body.data);
	return -EIO;
}

int
holidays_get(const char *place, char **ret, size_t *ret_len)
{
	if (strncmp(place, "http://", 7) == 0 || strncmp(place, "https://", 8) == 0)
		return get_url(place, ret, ret_len);
	int r = file_read(place, FEED_MAX, ret, ret_len);
	if (r < 0)
		fprintf(stderr, "slatectl holidays: %s: %s\n", place, strerror(-r));
	return r;
}

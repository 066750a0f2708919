#include "slated/pg_value.h"

#include <errno.h>
#include <string.h>

/* Microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01. */
#define PG_EPOCH_US (INT64_C(946684800) * US_PER_S)

static uint32_t
read_u32(const char *data)
{
	const unsigned char *p = (const unsigned char *)data;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Splits off a value that its length precedes. The bytes taken, or -EBADMSG. */
static int
split_value(const char *data, size_t len, struct pg_value *ret)
{
	if (len < 4)
		return -EBADMSG;
	int32_t n = (int32_t)read_u32(data);
	if (n == -1) {
		*ret = (struct pg_value){NULL, 0};
		return 4;
	}
	if (n < 0 || n > INT32_MAX - 4 || (size_t)n > len - 4)
		return -EBADMSG;
	*ret = (struct pg_value){data + 4, (size_t)n};
	return n + 4;
}

int
pg_copy_header(const char *data, size_t len)
{
	static const char signature[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\377', '\r', '\n', '\0'};
	const size_t fixed = sizeof(signature) + 8;
	if (len < fixed || memcmp(data, signature, sizeof(signature)) != 0)
		return -EBADMSG;
	/* Flags 16 to 31 are critical: none is known. */
	uint32_t flags = read_u32(data + sizeof(signature));
	uint32_t extension = read_u32(data + sizeof(signature) + 4);
	if (flags >> 16 != 0 || extension > len - fixed || extension > INT32_MAX - fixed)
		return -EBADMSG;
	return (int)(fixed + extension);
}

int
pg_copy_tuple(const char *data, size_t len, struct pg_value *ret, size_t n)
{
	if (len < 2)
		return -EBADMSG;
	unsigned count = (unsigned)(unsigned char)data[0] << 8 | (unsigned char)data[1];
	size_t taken = 2;
	if (count == 0xffff)
		return 0;
	if (count != n)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		int r = split_value(data + taken, len - taken, &ret[i]);
		if (r < 0)
			return r;
		taken += (size_t)r;
	}
	return taken > INT32_MAX ? -EBADMSG : (int)taken;
}

int
pg_read_int64(struct pg_value value, int64_t *ret)
{
	if (value.data == NULL || value.len != 8)
		return -EBADMSG;
	*ret = (int64_t)((uint64_t)read_u32(value.data) << 32 | read_u32(value.data + 4));
	return 0;
}

int
pg_read_int32(struct pg_value value, int32_t *ret)
{
	if (value.data == NULL || value.len != 4)
		return -EBADMSG;
	*ret = (int32_t)read_u32(value.data);
	return 0;
}

int
pg_read_bool(struct pg_value value, bool *ret)
{
	if (value.data == NULL || value.len != 1)
		return -EBADMSG;
	*ret = value.data[0] != 0;
	return 0;
}

int
pg_read_instant(struct pg_value value, struct instant *ret)
{
	int64_t us;
	int r = pg_read_int64(value, &us);
	if (r < 0)
		return r;
	/* The smallest and the largest value stand for the infinities. */
	if (us == INT64_MIN || us > INT64_MAX - PG_EPOCH_US)
		return -ERANGE;
	ret->us = us + PG_EPOCH_US;
	return 0;
}

int
pg_read_array(struct pg_value value, struct pg_value *ret, size_t max)
{
	if (value.data == NULL || value.len < 12)
		return -EBADMSG;
	uint32_t dimensions = read_u32(value.data);
	if (dimensions == 0)
		return 0;
	if (dimensions != 1 || value.len < 20)
		return -EBADMSG;
	uint32_t n = read_u32(value.data + 12);
	size_t taken = 20;
	if (n > max)
		return -E2BIG;
	for (uint32_t i = 0; i < n; i++) {
		int r = split_value(value.data + taken, value.len - taken, &ret[i]);
		if (r < 0)
			return r;
		taken += (size_t)r;
	}
	return taken == value.len ? (int)n : -EBADMSG;
}

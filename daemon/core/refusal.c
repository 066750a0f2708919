#include "slated/refusal.h"

#include <stdarg.h>
#include <stdio.h>

int
refuse(int error, char refusal[static REFUSAL_SIZE], const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(refusal, REFUSAL_SIZE, format, args); /* cut off where it is too long */
	va_end(args);
	return error;
}

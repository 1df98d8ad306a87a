/* SPDX-License-Identifier: BSD-2-Clause */
/* A line that anybody may send to the daemon's socket. */
#include "daemon/protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct protocol_request request = { .op = PROTOCOL_OPS_COUNT };
	struct error err = { 0 };
	int r = protocol_parse((const char *)data, size, &request, &err);

	/* Either all is in its range, or nothing was touched and there is a reason. */
	if (r && (!error_is_set(&err) || request.op != PROTOCOL_OPS_COUNT))
		abort();
	if (r)
		free(protocol_error(PROTOCOL_OPS_COUNT, &err));
	else if (request.op >= PROTOCOL_OPS_COUNT || request.pid < 0 ||
		 (request.interval_ms && request.interval_ms < PROTOCOL_INTERVAL_LEAST_MS))
		abort();
	return 0;
}

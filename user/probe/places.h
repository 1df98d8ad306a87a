/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs must know of the places of a session: as cookies of links, and by address for
 * kernels without. Private to probe/. */
#pragma once

#include "probe/session_private.h"

struct site_cookie places_cookie(const struct site *site, size_t index);
/* Of where what it says is checked. */
struct site_cookie places_check_cookie(const struct site *site);
struct site_cookie places_realloc_cookie(bool is_return);

/* Says it all to the session's programs, where links cannot. 0 or negative errno. */
int places_tell(const struct session *session);

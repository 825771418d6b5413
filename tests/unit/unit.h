/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every cmocka test includes first. */
#ifndef LXMGR_TESTS_UNIT_H
#define LXMGR_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif

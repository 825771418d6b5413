/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kind of password hash a guest can check. */
#ifndef LXMGR_IMAGE_PASSWORD_H
#define LXMGR_IMAGE_PASSWORD_H

/* The prefix for crypt_gensalt(3): yescrypt for a guest whose own configuration speaks of it, else
 * SHA-512, which musl, busybox and every glibc know. */
const char *password_kind(int root);
/* For it: 0 is the library's own choice. */
unsigned long password_cost(const char *kind);

#endif

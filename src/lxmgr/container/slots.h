/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's cap on parallel starts: lxmgr.start.parallel of lxmgr.conf(5). */
#ifndef LXMGR_CONTAINER_SLOTS_H
#define LXMGR_CONTAINER_SLOTS_H

/*
 * Wait for one of the host's slots, in the order of arrival. Returns a close-on-exec fd that holds
 * it: closing it gives the slot back, and so does the end of whoever has it, however it comes.
 * Called before the container's lock is taken, and never while waiting for another container.
 *
 * -EBADF: there is no cap, or this start goes ahead without a slot: nobody else moved on for
 * half a minute (a hook that starts a container may be what holds the last one), or the slots
 * cannot be made. A cap spares the host; it must not keep a container from running.
 */
int start_slot_take(void);

#endif

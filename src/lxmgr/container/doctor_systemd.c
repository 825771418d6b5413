/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host whose PID 1 is systemd. */
#include <stdio.h>
#include <unistd.h>

#include "container/doctor.h"
#include "container/service.h"
#include "util/cleanup.h"

/* Where systemd looks for units, in its order. */
static const char *const unit_dirs[] = { "/etc/systemd/system", "/run/systemd/system",
					 "/usr/local/lib/systemd/system", "/lib/systemd/system",
					 "/usr/lib/systemd/system" };

void doctor_units(struct doctor *d)
{
	char path[128];

	if (access("/run/systemd/system/", F_OK) < 0) {
		doctor_say(d, DOCTOR_OK,
			   "systemd does not run this host: containers are started directly");
		return;
	}
	if (!service_is_host()) {
		doctor_say(
			d, DOCTOR_NOTICE,
			"this build cannot talk to systemd, which may take containers for its own"
			"\tbuild lxmgr with libsystemd (configure without --without-libsystemd)");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unit_dirs); i++) {
		snprintf(path, sizeof(path), "%s/lxmgr@.service", unit_dirs[i]);
		if (access(path, F_OK) == 0) {
			doctor_say(d, DOCTOR_OK, "%s", path);
			return;
		}
	}
	doctor_say(d, DOCTOR_NOTICE,
		   "lxmgr@.service is not where systemd looks for units\tconfigure "
		   "--with-systemdsystemunitdir=/usr/local/lib/systemd/system, and install again");
}

void doctor_machined(struct doctor *d)
{
	if (!service_is_host())
		return;
	if (access("/usr/share/dbus-1/system-services/org.freedesktop.machine1.service", F_OK) == 0)
		doctor_say(d, DOCTOR_OK, "machinectl and journalctl -M know containers");
	else
		doctor_say(d, DOCTOR_NOTICE,
			   "not there: machinectl and journalctl -M do not know containers"
			   "\tapt install systemd-container");
}

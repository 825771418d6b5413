#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""trespass.py PID CONTEXT DIRECTORY COMMAND...: a process that leaked into a container.

It enters all namespaces of the container whose init is PID but the one of pids, so that it can name
any process, and runs COMMAND there under the SELinux CONTEXT, with the working directory where it was
on the host: DIRECTORY, which the container should never have had (CVE-2024-21626).
"""
import os
import sys

pid, context, directory, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
leaked = os.open(directory, os.O_PATH | os.O_DIRECTORY)
label = os.open("/proc/thread-self/attr/exec", os.O_WRONLY)
flags = os.CLONE_NEWNS | os.CLONE_NEWNET | os.CLONE_NEWIPC | os.CLONE_NEWUTS | os.CLONE_NEWCGROUP
if os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user"):
    flags |= os.CLONE_NEWUSER
os.setns(os.pidfd_open(pid), flags)
if flags & os.CLONE_NEWUSER:
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
os.fchdir(leaked)
os.write(label, context.encode())
os.execv(command[0], command)

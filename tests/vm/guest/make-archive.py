#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make-archive.py FETCHED OUT SUITE: packages and index, as apt keeps them, back in an archive's layout."""
import glob
import os
import shutil
import sys
import urllib.parse

fetched, out, suite = sys.argv[1:]
dist = os.path.join(out, "dists", suite)
os.makedirs(os.path.join(dist, "main/binary-amd64"))
(index,) = glob.glob(os.path.join(fetched, "*_main_binary-amd64_Packages"))
for release in glob.glob(os.path.join(fetched, "*Release*")):
    shutil.copy(release, os.path.join(dist, release.rsplit("_", 1)[1]))
shutil.copy(index, os.path.join(dist, "main/binary-amd64/Packages"))

have = {urllib.parse.unquote(os.path.basename(f)): f for f in glob.glob(os.path.join(fetched, "*.deb"))}
found = 0
with open(index, encoding="utf-8") as f:
    for stanza in f.read().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.split("\n") if ": " in line and line[0] != " ")
        name = "{}_{}_{}.deb".format(*(fields.get(k, "") for k in ("Package", "Version", "Architecture")))
        if name in have:
            to = os.path.join(out, fields["Filename"])
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.move(have[name], to)
            found += 1
if found != len(have):
    sys.exit("only %d of %d packages are in the index" % (found, len(have)))

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2153
# A cache of images and remotes of the test's own, in a mount namespace, and a site of images in SITE that
# genkey and sign sign; SITE_HAS=few: a site of one image. Sourced after lib.sh, and after `need`: the test begins anew in the namespace.
ETC=${VAR%/var}/etc
SITE=$TREE/.site KEYS=$TREE/.keys REMOTE=test$$
export REMOTE
mkdir -p "$SITE" "$KEYS" "$ETC/lxmgr/remotes"
chmod 700 "$KEYS"

# A cache of the test's own: others on this host use theirs. What it makes is gone with the namespace.
if [ -z "${IMAGE_TEST_INSIDE:-}" ]; then
	mkdir -p "$VAR/cache/lxmgr/remotes" "$VAR/cache/lxmgr/downloads" "$CACHE"
	export IMAGE_TEST_INSIDE=1
	exec unshare --mount --propagation private bash "$0" "$@"
fi
# No tmpfs: it has had attributes of users only since Linux 6.6.
mkdir -m 0711 "$TREE/.cache"
mount --bind "$TREE/.cache" "$VAR/cache/lxmgr"
mkdir -m 0711 "$CACHE"
mount -t tmpfs -o mode=0755 tmpfs "$ETC/lxmgr/remotes"
export BEFORE
BEFORE=$(host_state)
forget_trees

python3 ./image-site.py "${SITE_HAS:-make}" "$SITE" >"$TREE/.make" 2>&1 || { cat "$TREE/.make"; exit 1; }
genkey() { # genkey NAME
	mkdir -m 700 "$KEYS/$1"
	gpg --homedir "$KEYS/$1" --batch --quiet --passphrase '' --quick-generate-key "$1@test.invalid" ed25519 sign never 2>/dev/null
	gpg --homedir "$KEYS/$1" --export >"$KEYS/$1.gpg"
}
sign() { # sign NAME: the index with this key
	local f
	for f in index images; do
		rm -f "$SITE/streams/v1/$f.json.asc"
		gpg --homedir "$KEYS/$1" --batch --quiet --armor --detach-sign -o "$SITE/streams/v1/$f.json.asc" "$SITE/streams/v1/$f.json"
	done
}

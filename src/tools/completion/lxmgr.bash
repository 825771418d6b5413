# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# bash completion for lxmgr and lxmgr-VERB: options come from the tool itself, names from lxmgr-ls.

_lxmgr_templates() {
	local dir
	dir=$(command -v lxmgr-create)
	for dir in "${dir%/bin/*}/share/lxmgr/templates"/*; do
		[ ! -f "$dir" ] || basename "$dir" .lua
	done
}

_lxmgr_images() {
	lxmgr-image list 2>/dev/null | awk 'NR > 1 { print $2 != "-" ? $2 : $1 }'
}

_lxmgr() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} tool=${COMP_WORDS[0]##*/}
	local path=() i named='' names=''
	COMPREPLY=()
	if [ "$tool" = lxmgr ]; then
		if [ "$COMP_CWORD" = 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(lxmgr --help | awk '/^  / { print $1 }')" -- "$cur")
			return
		fi
		tool=lxmgr-${COMP_WORDS[1]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case $tool/${COMP_WORDS[i - 1]}/${COMP_WORDS[i]} in
		*/*/-* | */-[Pmugvol]/* | */lxmgr/*) ;;
		lxmgr-snapshot/-[cdrN]/* | lxmgr-snapshot/--de*/* | lxmgr-snapshot/--diff/* | lxmgr-snapshot/--comment*/*) ;;
		lxmgr-snapshot/--newname/* | lxmgr-snapshot/--restore/* | lxmgr-snapshot/--snapshot/*) ;;
		*) named=${named:-${COMP_WORDS[i]}} ;;
		esac
		case ${COMP_WORDS[i]} in
		list | show | fetch | import | refresh | verify | delete | prune | remotes)
			[ "$tool" != lxmgr-image ] || names=image
			;;
		publish) [ "$tool" != lxmgr-image ] || names=container ;;
		-P | --lxmgrpath | --lxcpath) path=(-P "${COMP_WORDS[i + 1]}") ;;
		--) return ;;
		esac
	done
	case $tool/$prev in
	lxmgr-create/-t | lxmgr-reinstall/-t | */--template)
		mapfile -t COMPREPLY < <(compgen -W "$(_lxmgr_templates) none" -- "$cur")
		return
		;;
	lxmgr-copy/-B | lxmgr-create/-B | lxmgr-import/-B | lxmgr-reinstall/-B | */--bdev)
		mapfile -t COMPREPLY < <(compgen -W "best btrfs dir loop lvm overlay" -- "$cur")
		return
		;;
	*/--fstype)
		mapfile -t COMPREPLY < <(compgen -W "btrfs ext4 xfs" -- "$cur")
		return
		;;
	*/--image)
		mapfile -t COMPREPLY < <(compgen -W "$(_lxmgr_images)" -- "$cur")
		return
		;;
	lxmgr-snapshot/-c | lxmgr-snapshot/--comment-file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	lxmgr-snapshot/*)
		# Behind the name of the container stand snapshots of it.
		if [[ $cur != -* && -n $named ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(lxmgr-snapshot "${path[@]}" -L "$named" 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur")
			return
		fi
		;;
	esac
	case $prev in
	-f | --rcfile | --config | -o | --logfile | -L | -p | --ssh-key | --incremental | --list)
		if [ "$tool/$prev" != lxmgr-snapshot/-L ] && [ "$tool/$prev" != lxmgr-snapshot/--list ]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	-s | --define | -c)
		if [ "$tool" != lxmgr-wait ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(lxmgr-config -l -n x 2>/dev/null | awk '{ print $1 }')" -- "$cur")
			return
		fi
		;;
	esac
	case $tool in
	lxmgr-import) named=1 ;;
	esac
	case $tool in
	lxmgr-mount | lxmgr-push | lxmgr-pull | lxmgr-runscript | lxmgr-export | lxmgr-import)
		# Behind the name of the container stand files.
		if [[ $cur != -* && -n $named ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	esac
	case $cur in
	-*) mapfile -t COMPREPLY < <(compgen -W "$("$tool" --dump-options 2>/dev/null | cut -f2)" -- "$cur") ;;
	*)
		if [ "$tool" = lxmgr-image ] && [ -z "$names" ]; then
			mapfile -t COMPREPLY < <(compgen -W "list show fetch publish import refresh verify delete prune remotes" -- "$cur")
			return
		elif [ "$names" = image ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_lxmgr_images)" -- "$cur")
			return
		fi
		mapfile -t COMPREPLY < <(compgen -W "$(lxmgr-ls -1 "${path[@]}" 2>/dev/null)" -- "$cur")
		;;
	esac
}
complete -F _lxmgr lxmgr lxmgr-attach lxmgr-autostart lxmgr-cgroup lxmgr-checkconfig lxmgr-config \
	lxmgr-console lxmgr-copy lxmgr-create lxmgr-destroy lxmgr-device lxmgr-disk lxmgr-doctor \
	lxmgr-execute lxmgr-export lxmgr-freeze lxmgr-host lxmgr-image lxmgr-import lxmgr-info \
	lxmgr-ls lxmgr-lxcfs lxmgr-metrics lxmgr-monitor lxmgr-mount lxmgr-pid lxmgr-plan \
	lxmgr-pull lxmgr-push lxmgr-reinstall lxmgr-restart \
	lxmgr-runscript lxmgr-set lxmgr-setup lxmgr-snapshot lxmgr-start lxmgr-stop lxmgr-top lxmgr-umount \
	lxmgr-unfreeze lxmgr-unshare lxmgr-usage lxmgr-usernsexec lxmgr-wait

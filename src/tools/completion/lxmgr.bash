# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# bash completion for lxmgr and lxmgr-VERB: options come from the tool itself, names from lxmgr-ls.

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
		case ${COMP_WORDS[i - 1]}/${COMP_WORDS[i]} in
		*/-* | -[Pmugvol]/* | lxmgr/* | */lxmgr/*) ;;
		*) named=1 ;;
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
	case $prev in
	-t | --template)
		if [ "$tool" = lxmgr-create ]; then
			mapfile -t COMPREPLY < <(compgen -W "busybox debian oci none" -- "$cur")
			return
		fi
		;;
	-f | --rcfile | --config | -o | --logfile | -L | -p | --ssh-key | --incremental | --list)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
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
			mapfile -t COMPREPLY < <(compgen -W "$(lxmgr-image list 2>/dev/null | awk 'NR > 1 { print $2 != "-" ? $2 : $1 }')" -- "$cur")
			return
		fi
		mapfile -t COMPREPLY < <(compgen -W "$(lxmgr-ls -1 "${path[@]}" 2>/dev/null)" -- "$cur")
		;;
	esac
}
complete -F _lxmgr lxmgr lxmgr-attach lxmgr-autostart lxmgr-cgroup lxmgr-checkconfig lxmgr-config \
	lxmgr-console lxmgr-copy lxmgr-create lxmgr-destroy lxmgr-device lxmgr-doctor \
	lxmgr-execute lxmgr-export lxmgr-freeze lxmgr-image lxmgr-import lxmgr-info lxmgr-ls lxmgr-lxcfs lxmgr-monitor \
	lxmgr-mount lxmgr-pull lxmgr-push lxmgr-reinstall lxmgr-restart lxmgr-runscript \
	lxmgr-setup lxmgr-snapshot lxmgr-start lxmgr-stop lxmgr-umount lxmgr-unfreeze \
	lxmgr-unshare lxmgr-usernsexec lxmgr-wait

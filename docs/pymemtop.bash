# SPDX-License-Identifier: BSD-2-Clause
# bash completion for pymemtop: commands, options, and the PIDs of running Pythons.

_pymemtop()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="top snapshot record diff advise report daemon ps doctor"
	local options="-p --pid -o --output -f --force -d --duration -i --interval -n --limit
		--sort --filter --format --events --max-overhead --max-cpu --full-cmdline --schema -s --subprocesses --values
		--fail-growth --all --duplicates --ceiling
		--match --socket --listen --on-pressure --user
		-b --batch --no-color -v --verbose -h --help -V --version"

	case $previous in
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--socket | --on-pressure)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--user)
		mapfile -t COMPREPLY < <(compgen -u -- "$current")
		return
		;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "json text" -- "$current")
		return
		;;
	--events)
		mapfile -t COMPREPLY < <(compgen -W "budget exact off" -- "$current")
		return
		;;
	esac
	if [[ ${COMP_WORDS[1]} == @(diff|advise|report) && $current != -* && $COMP_CWORD -gt 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		[[ ${COMP_WORDS[1]} == advise ]] || return 0
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(pgrep -d ' ' python)" -- "$current")
		return
	fi
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
	elif ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$commands $(pgrep -d ' ' python)" -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(pgrep -d ' ' python)" -- "$current")
	fi
}

complete -F _pymemtop pymemtop

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# In machines: check-vm-full.
# lxmgr-top: tables for pipes, and a terminal (tmux) with keys, resized, without flicker.
. ./lib.sh
need tmux

busybox a -s lxmgr.limit.cpus=0.2 -s lxmgr.limit.memory=64M
busybox b
busybox c
lx start a
lx start b

# Tables.
table() { lx top -b -c 1 -d 0.3 "$@"; }
names() { table "$@" | awk 'NR > 2 { print $1 }' | tr '\n' ' '; }
status 64 'no terminal' lxmgr-top -P "$TREE"
status 64 'no such column' table -s nosuch
status 64 'no expression' table -f '('
status 64 'no delay' table -d 0
says '^[0-9:]{8}  2 running, 0 frozen, 1 stopped; shown: CPU ' 'what there is' table
says '^NAME +STATE +CPU% +MEM +MEM% +SWAP +TASKS +READ/s +WRITE/s +IN/s +OUT/s +CWAIT% +MWAIT% +IOWAIT% +UP$' 'columns' table
is 'a b ' 'those that run' names -s NAME
is 'b a ' 'the other way round' names -s -NAME
is 'a b c ' 'all of them' names -s name -a
is 'b ' 'by expression' names -f '^b$'
is 'b ' 'by name' names b
is 'c - - ' 'a stopped one has nothing' bash -c "lxmgr-top -P $TREE -b -c 1 -d 0.3 -a | awk '\$1 == \"c\" { print \$1, \$3, \$4 }' | tr '\n' ' '"
is '2' 'two tables' bash -c "lxmgr-top -P $TREE -b -c 2 -d 0.3 | grep -c ^NAME"
lx attach a -- sh -c 'while :; do :; done' &
busy=$!
first() { [ "$(lx top -b -c 1 -d 1 | awk 'NR == 3 { print $1 }')" = "$1" ]; }
ok 'the busy one is first' eventually first a
ok 'and has what its limit leaves it' bash -c "lxmgr-top -P $TREE -b -c 1 -d 2 a | awk '\$1 == \"a\" { exit !(\$3 > 5 && \$3 < 40) }'"
ok 'nobody reads it' bash -c "lxmgr-top -P $TREE -b -d 0.1 | head -n 3; [[ \${PIPESTATUS[0]} =~ ^(1|141)$ ]]"

# A terminal.
SESSION=top
mux() { tmux -S "$TREE/.tmux" -f /dev/null "$@"; }
screen() { mux capture-pane -p -t $SESSION; }
keys() { mux send-keys -t $SESSION "$@"; }
shows() { screen | grep -qE -- "$1"; }
now_shows() { # now_shows PATTERN NAME
	eventually shows "$1"
	local rc=$?
	OUT=$(screen)
	result $rc "$2"
}
not_shows() { ! shows "$1"; }
mux new-session -d -s top -x 120 -y 24 "lxmgr-top -P $TREE -d 0.5; echo ended with \$?; exec sleep 1000"
now_shows '^a +RUNNING +[0-9.]+ ' 'the table'
mux pipe-pane -t top "cat >$TREE/.bytes"
now_shows '^b +RUNNING' 'with both'
ok 'without the stopped one' not_shows '^c '
# A line that went on behind the last column would stand between the others.
first_words() { screen | awk 'NR > 1 && NR < 5 { print $1 }' | tr '\n' ' '; }
is 'NAME a b ' 'line by line' first_words
keys a
now_shows '^c +STOPPED' 'a shows all'
keys a
ok 'and hides them' eventually not_shows '^c '
keys '?'
now_shows 'Left, Right +sort by another column' 'help'
keys Home
now_shows '^a +RUNNING' 'goes with the next key'

# Flicker is a screen that is emptied and filled again.
sleep 2
ok 'it is drawn again and again' bash -c "[ \$(wc -c <$TREE/.bytes) -gt 200 ]"
is '0' 'and never emptied' grep -c $'\033\[2J\|\033\[J\|\033\[H\033\[J' "$TREE/.bytes"

# Filter, choice, and what is done to the choice.
keys / 'b$' Enter
ok 'only those that match' eventually not_shows '^a '
now_shows '^b +RUNNING' 'and those'
keys / '(' Enter
now_shows 'is no regular expression' 'not those that nothing can match'
keys / Enter
now_shows '^a +RUNNING' 'all again'
keys Left Left # by name
keys Home s
now_shows '^stop a\? y or n' 'the first'
keys n End s
now_shows '^stop b\? y or n' 'the last'
keys n f
now_shows '^b +FROZEN' 'frozen'
is 'FROZEN' 'really' lx info -s -H b
keys f
now_shows '^b +RUNNING' 'goes on'
kill $busy 2>/dev/null
keys Enter
now_shows 'in b; its shell' 'enter'
keys 'echo in $(hostname) now' Enter
now_shows '^in b now' 'a shell of b'
keys 'exit' Enter
now_shows '^b +RUNNING' 'and back'

# Sizes, from one that has room for nothing.
mux resize-window -t top -x 40 -y 8
now_shows '^NAME +STATE +CPU%' 'a small terminal'
is 'NAME a b ' 'has no line that goes on' first_words
mux resize-window -t top -x 5 -y 2
sleep 1
mux resize-window -t top -x 150 -y 30
now_shows 'IOWAIT% +UP$' 'a large one'

keys End k
now_shows '^kill b\? y or n' 'kill'
keys y
now_shows 'b is stopped' 'is told'
is 'STOPPED' 'and done' lx info -s -H b
lx stop -q -k a
ok 'without any' eventually not_shows '^a '
now_shows '0 running, 0 frozen, 3 stopped' 'they are counted'
keys s q
now_shows '^ended with 0' 'q ends it'

# The terminal is as it was when it is ended by a signal.
SESSION=ended
mux new-session -d -s $SESSION -x 80 -y 24 "lxmgr-top -P $TREE; stty -a | grep -o ' -\?icanon'; echo ended; exec sleep 1000"
now_shows 'q end' 'another one'
pkill -TERM -f "^lxmgr-top -P $TREE"
now_shows '^ended' 'a signal ends it'
now_shows '^ icanon' 'and gives the terminal back'
SESSION=unknown
mux new-session -d -s $SESSION -x 80 -y 24 "TERM=nosuch lxmgr-top -P $TREE; echo ended with \$?; exec sleep 1000"
now_shows 'this terminal is not known .TERM.; see --batch' 'a terminal that nobody knows'
now_shows '^ended with 1' 'is an error'
mux kill-server
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-metrics: the counters of all containers in both formats, as a file and over HTTP, read by
# Prometheus's own checker and by its reference parser.
. ./lib.sh
need jq python3
METRICS=$TREE/m.txt

metrics() { lx metrics "$@" >"$METRICS"; }
of() { # of SAMPLE: its value in the last ones
	awk -v s="$1" '$1 == s { print $2 }' "$METRICS"
}
family() { grep -c "^lxmgr_$1{" "$METRICS"; }
request() { # request TEXT: the answer to it
	printf "$1" | lx metrics --http
}
body() { sed '1,/^\r$/d'; }

busybox a -s lxmgr.limit.memory=64M -s lxmgr.limit.cpus=1.25 -s lxmgr.owner='ACME "Ltd" \ Co' -s lxmgr.plan=small -s lxmgr.start.auto=1
busybox b
busybox c
lx start a
lx start c
status 64 'two names' lxmgr-metrics -P "$TREE" a b
status 3 'no such container' lxmgr-metrics -P "$TREE" none
status 64 'a file and HTTP' lxmgr-metrics -P "$TREE" --http --output=/nonexistent/x
ok 'OpenMetrics' metrics
is '# EOF' 'with its end' tail -n 1 "$METRICS"
is '1 0' 'which run' echo "$(of 'lxmgr_container_up{container="a"}') $(of 'lxmgr_container_up{container="b"}')"
is '1 0' 'which are started with the host' echo "$(of 'lxmgr_container_autostart{container="a"}') $(of 'lxmgr_container_autostart{container="b"}')"
is '1' 'the owner, quoted' grep -cF 'lxmgr_container_info{container="a",state="RUNNING",plan="small",owner="ACME \"Ltd\" \\ Co"} 1' "$METRICS"
is '67108864' 'a limit' of 'lxmgr_container_memory_limit_bytes{container="a"}'
is '1.250' 'a part of a CPU' of 'lxmgr_container_cpus_limit{container="a"}'
is '2' 'two have memory' family container_memory_bytes
is '3' 'and all a state' family container_info
is '1' 'one a limit of CPUs' family container_cpus_limit
is '' 'nor has a stopped one a time of its start' of 'lxmgr_container_start_time_seconds{container="b"}'
is "$(lx info --json a | jq .started)" 'a running one has' of 'lxmgr_container_start_time_seconds{container="a"}'
is '0' 'all were read' of lxmgr_containers_unread
metrics a
is '1' 'of one alone' family container_up

# The numbers are those of lxmgr-usage, and counters go on.
lx attach a -- timeout 1 sh -c 'while :; do :; done'
metrics
ok 'CPU time' awk -v s="$(of 'lxmgr_container_cpu_seconds_total{container="a"}')" 'BEGIN { exit !(s > 0.5) }'
ok 'is what usage says' awk -v s="$(of 'lxmgr_container_cpu_seconds_total{container="a"}')" -v u="$(lx usage --json a | jq '.[0].resources[] | select(.resource == "cpu.time") | .current')" 'BEGIN { d = u / 1e6 - s; exit !(d >= 0 && d < 1) }'
sent() { of 'lxmgr_container_network_sent_bytes_total{container="a",device="eth0"}'; }
received() { of 'lxmgr_container_network_received_bytes_total{container="a",device="eth0"}'; }
lx attach a -- ip link add own0 type veth peer name own1
was=$(sent) other=$(received)
gateway=$(lx attach a -- ip -4 route | sed -n 's/^default via \([0-9.]*\).*/\1/p')
# What reads to the end and answers nothing: what is sent and what is received are told apart.
python3 - "$gateway" "$TREE/port" <<'EOT' &
import os, socket, sys
s = socket.create_server((sys.argv[1], 0))
with open(sys.argv[2] + ".new", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename(sys.argv[2] + ".new", sys.argv[2])
c = s.accept()[0]
while c.recv(65536):
    pass
EOT
sink=$!
ok 'there is a sink' eventually [ -s "$TREE/port" ]
ok 'for what it sends' lx attach a -- sh -c "head -c 1000000 /dev/zero | nc -w 10 $gateway $(cat "$TREE/port")"
kill $sink 2>/dev/null
metrics
ok 'what it sent' [ $(($(sent) - was)) -ge 1000000 ]
ok 'is not what it received' [ $(($(received) - other)) -lt 500000 ]
# A neighbour may have been asked for meanwhile.
info=$(lx info --json a | jq '.links[] | select(.interface == "eth0") | .tx_bytes')
ok 'info says the same' [ $((info - $(sent))) -lt 5000 ]
is '' 'its own interfaces have none' grep 'device="own0"' "$METRICS"

# Broken ones are counted, and stop nobody.
mkdir "$TREE/broken"
echo 'lxmgr.nosuch = 1' >"$TREE/broken/config"
ok 'with a broken one' metrics
is '1' 'it is there' grep -cF 'container="broken",state="BROKEN"' "$METRICS"
is '1' 'the others too' of 'lxmgr_container_up{container="a"}'
rm -r "$TREE/broken"

# A file is there as a whole.
echo old >"$TREE/x.prom"
ok 'as a file' lx metrics --text --output="$TREE/x.prom"
is '644' 'that all may read' stat -c %a "$TREE/x.prom"
is '1' 'with what is asked for' grep -c '^lxmgr_container_up{container="a"} 1$' "$TREE/x.prom"
status 1 'not into nowhere' lx metrics --output="$TREE/nowhere/x.prom"
mkdir "$TREE/taken"
status 1 'nor over a directory' lx metrics --output="$TREE/taken"
is '' 'and nothing is left of it' find "$TREE" -maxdepth 1 -name 'taken.*'

# HTTP, as the socket unit has it asked.
is 'HTTP/1.1 200 OK' 'a request' bash -c "printf 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n' | lxmgr-metrics -P $TREE --http | head -n 1 | tr -d '\r'"
says '^Content-Type: text/plain; version=0.0.4' 'is answered in text' request 'GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n'
says '^Content-Type: application/openmetrics-text; version=1.0.0' 'or OpenMetrics' request 'GET /metrics?x=1 HTTP/1.1\r\naccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n'
request 'GET /metrics HTTP/1.0\r\n\r\n' >"$TREE/answer"
is "$(body <"$TREE/answer" | wc -c)" 'its length is right' bash -c "tr -d '\r' <$TREE/answer | awk '/^Content-Length:/ { print \$2 }'"
is '0' 'HEAD has no body' bash -c "printf 'HEAD /metrics HTTP/1.1\r\n\r\n' | lxmgr-metrics -P $TREE --http | sed '1,/^\r\$/d' | wc -c"
says '^HTTP/1.1 404 ' 'elsewhere is nothing' request 'GET / HTTP/1.1\r\n\r\n'
says '^HTTP/1.1 404 ' 'nor below it' request 'GET /metrics/x HTTP/1.1\r\n\r\n'
says '^HTTP/1.1 405 ' 'nothing is written' request 'POST /metrics HTTP/1.1\r\n\r\n'
says '^HTTP/1.1 400 ' 'half a request' request 'GET /metrics HTTP/1.1\r\n'
says '^HTTP/1.1 400 ' 'one without an end' bash -c "head -c 9000 /dev/zero | tr '\0' x | lxmgr-metrics -P $TREE --http"
says '^HTTP/1.1 400 ' 'one with a zero byte' bash -c "printf 'GET /metrics\0 HTTP/1.1\r\n\r\n' | lxmgr-metrics -P $TREE --http"

# The unit answers for the default directory, in a sandbox.
if [ -d /run/systemd/system ]; then
	get() { curl -s --max-time 60 -H "Accept: $1" http://127.0.0.1:9753/metrics; }
	lxmgr-create -q -t busybox -n metrics-unit && lxmgr-start metrics-unit
	ok 'the socket unit' systemctl start lxmgr-metrics.socket
	get text/plain >"$METRICS"
	is '1' 'it runs' of 'lxmgr_container_up{container="metrics-unit"}'
	ok 'it has memory' [ "$(of 'lxmgr_container_memory_bytes{container="metrics-unit"}')" -gt 0 ]
	ok 'and traffic' grep -q '^lxmgr_container_network_sent_bytes_total{container="metrics-unit",device="eth0"} [0-9]' "$METRICS"
	is '0' 'all were read' of lxmgr_containers_unread
	says '^# EOF$' 'OpenMetrics for who accepts it' get application/openmetrics-text
	is '' 'from nowhere else' bash -c "ss -Htln 'sport = 9753' | grep -v '127.0.0.1:9753'"
	systemctl stop lxmgr-metrics.socket
	lxmgr-destroy -q -f metrics-unit
else
	skip 'the socket unit' 'no systemd on this host'
fi

# What reads it.
mkdir "$TREE/debs"
fetch() { # fetch PACKAGE...: unpacked below debs
	local p
	(cd "$TREE/debs" && apt-get -qq -o APT::Sandbox::User=root download "$@") || return
	for p in "$TREE"/debs/*.deb; do
		dpkg-deb -x "$p" "$TREE/debs/root" && rm "$p" || return
	done
}
if OUT=$(fetch prometheus python3-prometheus-client python3-decorator 2>&1); then
	metrics --text
	is '' 'promtool finds nothing' bash -c "'$TREE/debs/root/usr/bin/promtool' check metrics <'$METRICS' 2>&1"
	metrics
	is 'all' 'the reference parser reads OpenMetrics' env PYTHONPATH="$TREE/debs/root/usr/lib/python3/dist-packages" /usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = {f.name: f for f in parse(open(sys.argv[1]).read())}
assert len(families) > 30, len(families)
assert families["lxmgr_container_cpu_seconds"].type == "counter"
assert families["lxmgr_container_cpu_seconds"].unit == "seconds"
owner = [s.labels["owner"] for s in families["lxmgr_container_info"].samples if s.labels["container"] == "a"]
assert owner == ["ACME \"Ltd\" \\ Co"], owner
print("all")' "$METRICS"
else
	skip 'promtool finds nothing' "no package to be had: $(echo "$OUT" | head -n 1)"
	skip 'the reference parser reads OpenMetrics' 'the same'
fi
finish

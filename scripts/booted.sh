#!/usr/bin/env bash
# Boots a real systemd as the first process of a machine that is made of namespaces, over a copy of this machine's files
# that is thrown away, installs a server there with "setup", and looks: started by a visit, confined as the unit says,
# restarted by hand and after a crash without a refused visit, found well by "doctor".
# Root on Linux with systemd's program; nothing outside is touched. Exit code 77: it cannot be done here.
# scripts/booted.sh PATH-OF-visavis-server
set -euo pipefail
here=$(realpath "$0")
systemd=/lib/systemd/systemd
group=visavis-booted-$PPID-$$

skip() {
	echo "cannot be done here: $*" >&2
	exit 77
}

fail() {
	echo "FAILED: $*" >&2
	inside journalctl --no-pager -n 60 2>/dev/null | sed 's/^/| /' >&2 || true
	exit 1
}

# inside runs a command on the made-up machine.
inside() { nsenter -t "${machine:-0}" -m -u -i -n -p -C -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }

# --- the first process, in its namespaces: puts the files together and becomes systemd.
if [[ ${1:-} == --first ]]; then
	dir=$2 binary=$3 root=$2/root
	mount --make-rprivate /
	mount -t tmpfs -o size=512m tmpfs "$dir"
	mkdir "$dir/upper" "$dir/work" "$root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"
	mount -t proc proc "$root/proc"
	mount --bind "$root/proc/sys" "$root/proc/sys" # most of it is the real machine's
	mount -o remount,bind,ro "$root/proc/sys"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
	if ! mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd" 2>/dev/null; then
		umount "$root/sys/fs/cgroup"
		mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	else
		mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
		mount -o remount,ro "$root/sys/fs/cgroup"
	fi
	for at in run tmp var/tmp var/log dev; do
		mount -t tmpfs -o mode="$([[ $at == *tmp ]] && echo 1777 || echo 755)" tmpfs "$root/$at"
	done
	for device in null zero full random urandom tty; do
		touch "$root/dev/$device"
		mount --bind "/dev/$device" "$root/dev/$device"
	done
	mkdir "$root/dev/shm" "$root/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	# Of this machine's own units none is to run.
	rm -rf "$root"/etc/systemd/system/* "$root/etc/visavis" "$root/var/lib/visavis"
	: >"$root/etc/fstab"
	uuidgen -r | tr -d - >"$root/etc/machine-id" 2>/dev/null || echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	install -m 755 "$binary" "$root/usr/local/bin/visavis-server"
	hostname booted
	cd "$root"
	mkdir -p "$dir/root/mnt"
	pivot_root . mnt
	exec chroot . /bin/sh -c 'umount -l /mnt; exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		setpriv --bounding-set=-sys_module,-sys_rawio,-sys_time,-syslog,-sys_boot \
		'"$systemd"' --system --unit=basic.target --show-status=no' </dev/null
fi

binary=$(realpath "${1:?the path of visavis-server}")
[[ $(uname) == Linux && $(id -u) == 0 ]] || skip "it needs root on Linux"
[[ -x $systemd ]] || skip "there is no systemd"
for tool in unshare nsenter pivot_root setpriv curl ip pgrep; do command -v "$tool" >/dev/null || skip "there is no $tool"; done
grep -qw overlay /proc/filesystems || skip "there is no overlay file system"

dir=$(mktemp -d)
cleanup() {
	[[ -z ${visitor:-} ]] || kill "$visitor" 2>/dev/null || true
	[[ -z ${machine:-} ]] || kill -9 "$machine" 2>/dev/null || true
	[[ -z ${outer:-} ]] || wait "$outer" 2>/dev/null || true
	for at in "${groups[@]}"; do
		for _ in $(seq 20); do # until the last of its processes is gone
			[[ -s $at/cgroup.procs ]] || break
			sleep 0.1
		done
		find "$at" -depth -mindepth 1 -type d -exec rmdir {} + 2>/dev/null || true
		rmdir "$at" 2>/dev/null || true
	done
	rmdir "$dir" 2>/dev/null || true
}
groups=()
trap cleanup EXIT

# A branch of its own of the tree of control groups, which the made-up machine takes for the whole tree.
for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
	if [[ -e $tree/cgroup.procs ]]; then
		mkdir "$tree/$group" 2>/dev/null || skip "control groups cannot be made"
		groups+=("$tree/$group")
	fi
done
(
	for at in "${groups[@]}"; do echo "$BASHPID" >"$at/cgroup.procs"; done
	exec unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child "$here" --first "$dir" "$binary"
) >"$dir.log" 2>&1 &
outer=$!

# until tries a command twice a second, for half a minute.
until_true() {
	local what=$1
	shift
	for _ in $(seq 60); do
		if "$@"; then return; fi
		kill -0 "$outer" 2>/dev/null || { cat "$dir.log" >&2; skip "the machine does not start"; }
		sleep 0.5
	done
	cat "$dir.log" >&2
	fail "waited in vain until $what"
}
# The machine's first process is unshare's child, and systemd once its files are in place.
first() { machine=$(pgrep -P "$outer" 2>/dev/null) && [[ $(readlink "/proc/$machine/exe" 2>/dev/null) == */systemd/systemd ]]; }
until_true "the first process is systemd" first
up() { inside systemctl is-active --quiet basic.target 2>/dev/null; }
until_true "systemd is up" up
echo "booted: $(inside systemctl --version | head -1)"

# An address as of the internet, which is not here: the relay gives it out.
inside ip link add there type veth peer name here
inside ip addr add 9.9.9.1/24 dev here
inside ip link set here up
inside ip link set there up

inside /usr/local/bin/visavis-server setup --lan --sign-up open --data /var/lib/visavis
inside systemctl daemon-reload
inside systemctl start visavis.socket visavis-relay.socket
state() { inside systemctl show -p "$1" --value visavis.service; }
[[ $(state ActiveState) == inactive ]] || fail "the service runs before anybody came"

visit() { inside curl -sk --max-time 20 -o /dev/null -w '%{http_code}\n' https://127.0.0.1:8443/api/info; } # /readyz says 503 before a stop
[[ $(visit) == 200 ]] || fail "the first visit did not start the service"
[[ $(state ActiveState) == active ]] || fail "the service is $(state ActiveState)"
pid=$(state MainPID)

echo "confined as the unit says"
status=$(inside cat "/proc/$pid/status")
field() { awk -v name="$1:" '$1 == name {print $2; exit}' <<<"$status"; }
[[ $(field Uid) == "$(inside id -u visavis)" ]] || fail "it runs as $(field Uid)"
[[ $(field CapEff)$(field CapBnd) == 00000000000000000000000000000000 ]] || fail "it has capabilities $(field CapEff) of $(field CapBnd)"
[[ $(field NoNewPrivs) == 1 && $(field Seccomp) == 2 ]] || fail "NoNewPrivs $(field NoNewPrivs), Seccomp $(field Seccomp)"
[[ $(inside stat -c %a /var/lib/visavis) == 700 ]] || fail "others can read the data"

echo "an account, and doctor"
inside /usr/local/bin/visavis-server user add anna >/dev/null || fail "user add"
inside /usr/local/bin/visavis-server doctor || fail "doctor"

echo "six restarts, one more than systemd allows by itself, a reload and two crashes under visits"
(
	while [[ ! -e $dir.enough ]] && kill -0 "$outer"; do visit || true; done >"$dir.visits"
) &
visitor=$!
for i in $(seq 6); do
	inside systemctl restart visavis.service || fail "restart $i"
done
inside systemctl reload visavis.service || fail "reload"
for i in 1 2; do
	pid=$(state MainPID)
	inside kill -9 "$pid"
	again() { [[ $(state ActiveState) == active && $(state MainPID) != "$pid" && $(state MainPID) != 0 ]]; }
	until_true "it is there again after crash $i" again
done
touch "$dir.enough"
wait "$visitor"
rm -f "$dir.enough"
answers=$(sort "$dir.visits" | uniq -c | tr -s ' \n' ' ')
rm -f "$dir.visits"
echo "answers to visits:$answers"
# A visit that the killed process had taken already is lost with it; no other is.
[[ $answers =~ ^\ [0-9]+\ 200\ $ || $answers =~ ^\ [12]\ 000\ [0-9]+\ 200\ $ ]] || fail "visits were refused:$answers"
[[ $(state NRestarts) == 2 ]] || fail "systemd counts $(state NRestarts) crashes"

echo "settings that the server refuses, under visits, and mended: longer and oftener than systemd lets sockets try by themselves"
inside sh -c 'cp /etc/visavis/visavis.conf /tmp/good.conf; echo "lisen = :1" >>/etc/visavis/visavis.conf'
inside systemctl restart visavis.service 2>/dev/null && fail "it starts with settings that are wrong"
for _ in $(seq 24); do
	inside curl -sk --max-time 0.5 -o /dev/null https://127.0.0.1:8443/api/info || true
	inside bash -c 'echo hello >/dev/udp/127.0.0.1/3478' || true
done
[[ $(state NRestarts) -ge 3 ]] || fail "it was tried only $(state NRestarts) times"
inside systemctl is-active --quiet visavis.socket visavis-relay.socket || fail "a socket is dead: $(inside systemctl show -p Result visavis.socket visavis-relay.socket | tr '\n' ' ')"
inside cp /tmp/good.conf /etc/visavis/visavis.conf
[[ $(visit) == 200 ]] || fail "the mended server does not answer"

echo "stopped, and started by a visit again; then stopped for good"
inside systemctl stop visavis.service 2>/dev/null
[[ $(visit) == 200 ]] || fail "a visit after the stop"
inside systemctl stop visavis.socket visavis-relay.socket visavis.service
[[ $(visit || true) == 000 ]] || fail "somebody answers after all was stopped"
[[ $(state Result) == success ]] || fail "the service ended with $(state Result)"
! inside journalctl --no-pager 2>/dev/null | grep -E 'panic|goroutine [0-9]+ ' || fail "it panicked"
rm -f "$dir.log"
echo "well"

#!/usr/bin/env bash
# Installs what is missing for: build (both programs), demo (a virtual display), test (browsers, sound, tools), bench (all
# of these, and the relay that ours is measured against).
# Debian and Ubuntu by apt; Fedora by dnf and macOS by brew as well as we know; anything else gets the list.
# It asks the package manager only when something is missing, so a second run costs nothing.
set -euo pipefail
what=${1:-build}

apt_build="gcc pkg-config libgl1-mesa-dev xorg-dev libvpx-dev libopus-dev libjpeg-dev libopenh264-dev"
apt_demo="xvfb libgl1-mesa-dri"
apt_test="chromium xvfb xdotool imagemagick openbox pulseaudio pulseaudio-utils ffmpeg nodejs"
apt_bench="coturn iproute2"
dnf_build="gcc pkgconf-pkg-config mesa-libGL-devel libX11-devel libXcursor-devel libXrandr-devel libXinerama-devel libXi-devel libXxf86vm-devel libvpx-devel opus-devel libjpeg-turbo-devel openh264-devel"
dnf_demo="xorg-x11-server-Xvfb mesa-dri-drivers"
dnf_bench="coturn iproute"
dnf_test="chromium xorg-x11-server-Xvfb xdotool ImageMagick openbox pulseaudio pulseaudio-utils ffmpeg-free nodejs"
brew_build="pkg-config libvpx opus jpeg-turbo openh264"
brew_test="node"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
	echo "Please run as root: $*" >&2; exit 1; fi; }

missing_apt() { for p in "$@"; do
	dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || echo "$p"; done; }

packages() { # what each purpose needs, from the lists above; $1 is the package manager
	local b="$1_build" d="$1_demo" t="$1_test" n="$1_bench"
	case $what in
	build) echo "${!b}" ;;
	demo) echo "${!b} ${!d:-}" ;;
	test) echo "${!b} ${!d:-} ${!t}" ;;
	bench) echo "${!b} ${!d:-} ${!t} ${!n:-}" ;;
	*) echo "deps.sh: build, demo, test or bench" >&2; exit 2 ;;
	esac
}

install_apt() {
	local need; need=$(missing_apt $(packages apt))
	# node that did not come from a package serves as well
	command -v node >/dev/null && need=$(grep -vx nodejs <<<"$need" || true)
	[ -z "$need" ] && return
	echo "installing:" $need
	as_root apt-get update -qq
	# A relay that is only to be measured must not start as a service: Debian's hook for that, if there is none.
	if [ "$what" = bench ] && [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
		as_root chmod +x /usr/sbin/policy-rc.d
		trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
}

install_dnf() {
	local need; need=$(for p in $(packages dnf); do rpm -q "$p" >/dev/null 2>&1 || echo "$p"; done)
	[ -z "$need" ] || as_root dnf install -y $need
}

install_brew() {
	local need; need=$(for p in $(packages brew); do brew list "$p" >/dev/null 2>&1 || echo "$p"; done)
	[ -z "$need" ] || brew install $need
}

go_is_new_enough() { # Go 1.21 and later fetch the toolchain that go.mod names by themselves
	command -v go >/dev/null || return 1
	local v; v=$(go env GOVERSION 2>/dev/null | sed -E 's/^go1\.([0-9]+).*/\1/')
	[[ $v =~ ^[0-9]+$ ]] && [ "$v" -ge 21 ]
}

case $(uname -s) in
Linux)
	if command -v apt-get >/dev/null; then
		go_is_new_enough || apt_build="$apt_build golang-go"
		install_apt
	elif command -v dnf >/dev/null; then
		go_is_new_enough || dnf_build="$dnf_build golang"
		install_dnf
	else
		echo "This system has neither apt nor dnf. Visavis needs the equivalents of these Debian packages:" >&2
		echo "  $(packages apt)" >&2
		echo "and Go 1.26. Install them, then run make again." >&2
		pkg-config --exists vpx opus gl 2>/dev/null || exit 1
	fi ;;
Darwin)
	if command -v brew >/dev/null; then
		go_is_new_enough || brew_build="$brew_build go"
		install_brew
	else
		echo "Please install Homebrew, or these by hand: $brew_build and Go 1.26." >&2; exit 1
	fi ;;
*)
	echo "Building on $(uname -s) is not automated. See docs/operating.md." >&2; exit 1 ;;
esac

go_is_new_enough || {
	echo "Visavis needs Go 1.26. The Go packaged here is too old to fetch it by itself (1.21 or later can):" >&2
	echo "install a current Go from the Go project's download page and put its bin folder into PATH." >&2
	exit 1
}

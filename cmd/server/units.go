package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"visavis.example/internal/server"
)

// unitNames are the units that setup writes, in the order in which they are enabled.
var unitNames = []string{"visavis.socket", "visavis-relay.socket", "visavis.service"}

// unitFiles are the systemd units: the sockets, which systemd opens as root and keeps open while the server restarts, and
// the service, which is allowed next to nothing.
func (a *answers) unitFiles() ([]document, error) {
	switch {
	case within(a.binary, "/home") || within(a.binary, "/root"):
		return nil, fmt.Errorf("%s is in a home folder, which the service cannot see; copy it to /usr/local/bin and run that", a.binary)
	case strings.ContainsAny(a.binary+a.file+a.data, " \t\"'\\%"):
		return nil, errors.New("systemd units need paths without spaces, quotes and % signs")
	}
	listen, turn := server.DefaultListen, server.DefaultTURNListen
	if l, ok := a.settings()["listen"]; ok {
		listen = l
	}
	site, err1 := socketAddress(listen)
	relay, err2 := socketAddress(turn)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	fill := strings.NewReplacer(
		"{SITE}", site, "{RELAY}", relay, "{BINARY}", a.binary, "{CONFIG}", a.file, "{DATA}", a.data, "{USER}", a.user, "{HOME}", a.homeLines(),
	)
	var docs []document
	for i, text := range []string{socketUnit, relaySocketUnit, serviceUnit} {
		docs = append(docs, document{filepath.Join(a.units, unitNames[i]), fill.Replace(text), 0o644})
	}
	return docs, nil
}

// socketAddress is HOST:PORT as systemd writes it: the port alone is every address of both families.
func socketAddress(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || host != "" {
		return listen, err
	}
	return port, nil
}

// homeLines keep homes and the temporary folder away from the service, all but the data that somebody wants there.
func (a *answers) homeLines() string {
	home, tmp := "ProtectHome=yes", "PrivateTmp=yes"
	if within(a.data, "/home") || within(a.data, "/root") {
		home = "ProtectHome=tmpfs\nBindPaths=" + a.data
	}
	if within(a.data, "/tmp") || within(a.data, "/var/tmp") {
		tmp = "PrivateTmp=no"
	}
	return home + "\n" + tmp
}

const written = `# Written by "visavis-server setup"; settings are in {CONFIG}.
# Changes of your own belong into a drop-in: systemctl edit UNIT
`

const socketUnit = written + `[Unit]
Description=Visavis: web site and relay (TCP)

[Socket]
ListenStream={SITE}
ListenStream={RELAY}
BindIPv6Only=both
Backlog=4096
Service=visavis.service

[Install]
WantedBy=sockets.target
`

// Calls come in bursts, and what does not fit into the kernel's buffer while the server does something else is lost.
const relaySocketUnit = written + `[Unit]
Description=Visavis: relay (UDP)

[Socket]
ListenDatagram={RELAY}
BindIPv6Only=both
ReceiveBuffer=4M
SendBuffer=4M
Service=visavis.service

[Install]
WantedBy=sockets.target
`

// ProtectProc and the rest were looked at with systemd-analyze security; ProcSubset=pid is not there because the server
// asks /proc/sys how many connections may wait.
const serviceUnit = written + `[Unit]
Description=Visavis server: calls from person to person
Wants=network-online.target
After=network-online.target visavis.socket visavis-relay.socket
Requires=visavis.socket visavis-relay.socket
# Never given up: five starts within ten seconds would else be the end, of the sockets too.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={BINARY} serve --config {CONFIG}
# Takes over a certificate of your own that has been renewed.
ExecReload=/bin/kill -HUP $MAINPID
User={USER}
WorkingDirectory={DATA}
ReadWritePaths={DATA}
UMask=0077
Restart=always
RestartSec=1
TimeoutStopSec=20
# A call through the relay takes up to six descriptors, a signed-in device one.
LimitNOFILE=65536

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
{HOME}
PrivateDevices=yes
PrivateUsers=yes
PrivateMounts=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
Also=visavis.socket visavis-relay.socket
`

//go:build !linux

package lossylink

import "errors"

var errLinux = errors.New("network namespaces are Linux's: no lossy link for whole programs here")

// Possible says why namespaces cannot be joined here.
func Possible() error { return errLinux }

// In runs f on a thread of h's namespace.
func (l *Link) In(Host, func() error) error { return errLinux }

// Interface brings a network interface of h up or down.
func (l *Link) Interface(Host, int, bool) error { return errLinux }

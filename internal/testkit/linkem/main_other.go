//go:build !linux

// Command linkem is a bad line for whole programs; only Linux has what it takes.
package main

import (
	"fmt"
	"os"

	"visavis.example/internal/testkit/lossylink"
)

func main() {
	fmt.Fprintln(os.Stderr, "linkem:", lossylink.Possible())
	os.Exit(1)
}

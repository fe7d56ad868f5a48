package main

import (
	"fmt"
	"io"
	"strings"
)

// config prints a configuration file with every setting at its default, or checks the one that is named.
func config(args []string, out, problems io.Writer) int {
	switch {
	case len(args) == 0:
		if err := newOptions().writeSample(out, nil); err != nil {
			fmt.Fprintln(problems, "visavis-server:", err)
			return exitFailed
		}
		return exitOK
	case len(args) > 1 || strings.HasPrefix(args[0], "-"):
		fmt.Fprint(problems, "visavis-server config          prints a configuration file with every setting\n"+
			"visavis-server config FILE     says what is wrong with that one\n")
		return exitUsage
	}
	if _, err := readOptions(args[0]); err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitFailed
	}
	fmt.Fprintln(out, args[0], "is good")
	return exitOK
}

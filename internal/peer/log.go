package peer

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog hands pion's warnings to slog at Debug: most are about candidates that did not work out, which is normal.
// Everything below a warning is dropped, because pion writes descriptions and whole candidates there.
type pionLog struct{ log *slog.Logger }

func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

func (pionLog) Trace(string)          {}
func (pionLog) Tracef(string, ...any) {}
func (pionLog) Debug(string)          {}
func (pionLog) Debugf(string, ...any) {}
func (pionLog) Info(string)           {}
func (pionLog) Infof(string, ...any)  {}

func (p pionLog) Warn(m string)             { p.log.Debug(m) }
func (p pionLog) Warnf(f string, a ...any)  { p.log.Debug(fmt.Sprintf(f, a...)) }
func (p pionLog) Error(m string)            { p.log.Debug(m) }
func (p pionLog) Errorf(f string, a ...any) { p.log.Debug(fmt.Sprintf(f, a...)) }

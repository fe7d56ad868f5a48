package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"visavis.example/internal/server/atomicfile"
)

const (
	relaySecretFile = "relay.key"
	relaySecretSize = 32 // bytes
)

// relaySecret reads what signs the relay's credentials, and makes it at the first start. It outlives the process so that
// the devices of a call can come back to the relay with what they were given before a restart.
func relaySecret(dir string) ([]byte, error) {
	name := filepath.Join(dir, relaySecretFile)
	secret, err := os.ReadFile(name)
	switch {
	case err == nil && len(secret) == relaySecretSize:
		return secret, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("relay's secret: %w", err)
	}
	secret = make([]byte, relaySecretSize) // the file is missing, or was cut off
	_, _ = rand.Read(secret)               // never fails
	if err := atomicfile.Write(name, secret, 0o600); err != nil {
		return nil, fmt.Errorf("relay's secret: %w", err)
	}
	return secret, nil
}

package certify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"visavis.example/internal/server/atomicfile"
)

// files is the folder of one authority: account.pem and key.pem (0600), cert.pem. The certificate's key stays the same, so
// that a certificate is one file, which is replaced at once.
type files struct {
	dir     string
	account *ecdsa.PrivateKey
	key     *ecdsa.PrivateKey
}

// diskError is what went wrong here, not at the authority.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }

// openFiles makes what is missing. Each authority has a folder of its own: accounts and certificates of one, such as a
// trial one, are nothing to another.
func openFiles(dir, directory string) (files, error) {
	u, err := url.Parse(directory)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return files{}, fmt.Errorf("%q is not the https:// address of an ACME directory", directory)
	}
	f := files{dir: filepath.Join(dir, folderName(u.Host+u.Path))}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return files{}, err
	}
	if f.account, err = keepKey(filepath.Join(f.dir, "account.pem")); err != nil {
		return files{}, err
	}
	f.key, err = keepKey(filepath.Join(f.dir, "key.pem"))
	return f, err
}

func folderName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, s), "-.")
}

func (f files) cert() string { return filepath.Join(f.dir, "cert.pem") }

// load gives the certificate on disk; os.ErrNotExist: there is none.
func (f files) load() (*tls.Certificate, error) {
	b, err := os.ReadFile(f.cert())
	if err != nil {
		return nil, err
	}
	return f.pair(b)
}

// pair puts a chain (PEM) and the key together, and fails when they do not belong together.
func (f files) pair(chain []byte) (*tls.Certificate, error) {
	key, err := marshalKey(f.key)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// save replaces the certificate by a chain (DER, the server's own first).
func (f files) save(chain [][]byte) (*tls.Certificate, error) {
	var b bytes.Buffer
	for _, der := range chain {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, err
		}
	}
	c, err := f.pair(b.Bytes())
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(f.cert(), b.Bytes(), 0o644); err != nil {
		return nil, &diskError{err}
	}
	return c, nil
}

// keepKey reads a key, or makes one. One that cannot be read is not replaced: the operator may want to mend it.
func keepKey(file string) (*ecdsa.PrivateKey, error) {
	b, err := os.ReadFile(file)
	if err == nil {
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, fmt.Errorf("%s is not a PEM file; remove it to have a new key made", file)
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if k, ok := key.(*ecdsa.PrivateKey); ok && err == nil {
			return k, nil
		}
		return nil, fmt.Errorf("%s is not a key this server made; remove it to have a new one made", file)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if b, err = marshalKey(key); err != nil {
		return nil, err
	}
	return key, atomicfile.Write(file, b, 0o600)
}

func marshalKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

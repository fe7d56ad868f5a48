package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the algorithm of TURN REST credentials
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"visavis.example/internal/server/relay"
)

// relayServer is our relay alone, as the measured process. It begins when it reads a line, says what to sign in with, and
// ends with its standard input. Only the limits that the load would meet are lifted.
func relayServer(name string) error {
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	s := &relay.Server{
		Listen: net.JoinHostPort(relayAddr, relayPort), Portable: name == portable,
		Limits: relay.Limits{PerDevice: 10_000, PerAddress: 10_000, BitsPerSecond: 1 << 40},
	}
	if err := s.Start(); err != nil {
		return err
	}
	defer s.Close()
	user, password := s.Credentials("bench", "bench-device-0123456789", "bench-call-0123456789", time.Hour)
	if _, err := fmt.Println(user, password); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

// restCredentials are those of draft-uberti-behave-turn-rest-00.
func restCredentials(secret, name string) (user, password string) {
	user = strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10) + ":" + name
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(user))
	return user, base64.StdEncoding.EncodeToString(h.Sum(nil))
}

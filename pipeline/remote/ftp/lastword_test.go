package ftp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
)

func TestAServerThatFailsInTheMiddleOfTLSIsBrokenAndNotUntrusted(t *testing.T) {
	for head, untrustedWant := range map[string]bool{"500 O": false, "421 S": false, "220 w": true, "SSH-2": true, "\x00\x00\x00\x00\x00": true} {
		var record tls.RecordHeaderError
		record.Msg = "first record does not look like a TLS handshake"
		copy(record.RecordHeader[:], head)
		err := fmt.Errorf("connect: %w", record)
		if got := untrusted(err); got != untrustedWant {
			t.Errorf("%q in place of TLS: untrusted %v, want %v", head, got, untrustedWant)
		}
		if !untrustedWant && !IsBroken(err) {
			t.Errorf("%q in place of TLS is no broken connection", head)
		}
	}
}

func TestASessionThatDiesAtLoginIsBrokenAndNotDenied(t *testing.T) {
	for last, denied := range map[string]bool{"500 OOPS: child died": false, "530 Login incorrect.": true, "500 OOPS: cannot change directory:/home/x": true} {
		c := &Conn{server: &Server{}, control: &greeted{last: []byte(last + "\r\n")}}
		err := c.refused(errors.New("the library tells no code"), "")
		if got := errors.Is(err, ErrDenied); got != denied || IsBroken(err) == denied {
			t.Errorf("%s: got %v; denied %v, broken %v", last, err, got, IsBroken(err))
		}
	}
}

package sftp

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys checks the server's key against the known_hosts files.
type hostKeys struct {
	options *Options
	check   ssh.HostKeyCallback
	refused error // why the key was not accepted
}

func newHostKeys(o *Options) (*hostKeys, error) {
	check, err := knownhosts.New(o.KnownHosts...)
	if err != nil {
		return nil, fmt.Errorf("read the keys of known servers: %w: %w (make the file by `ssh-keyscan -p %d %s >> %s` and compare the fingerprint)",
			ErrUntrusted, err, o.Port, o.Host, o.KnownHosts[0])
	}
	return &hostKeys{options: o, check: check}, nil
}

// verify implements ssh.HostKeyCallback.
func (h *hostKeys) verify(address string, remote net.Addr, key ssh.PublicKey) error {
	h.refused = h.explain(h.check(address, remote, key), key)
	return h.refused
}

// explain names the file, and what to do.
func (h *hostKeys) explain(err error, key ssh.PublicKey) error {
	if err == nil {
		return nil
	}
	o, file := h.options, strings.Join(h.options.KnownHosts, ", ")
	name := knownhosts.Normalize(o.address())
	var wrong *knownhosts.KeyError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if len(wrong.Want) == 0 {
		return fmt.Errorf("%w: the key of %s (%s) is not in %s: if it is the server's, which its administrator can tell, add it by `ssh-keyscan -p %d %s >> %s`",
			ErrUntrusted, name, ssh.FingerprintSHA256(key), file, o.Port, o.Host, o.KnownHosts[0])
	}
	known := wrong.Want[0]
	return fmt.Errorf("%w: the key of %s (%s) is not the one in %s line %d (%s): this may be another server in its place; if its key was changed on purpose, remove the old one by `ssh-keygen -R '%s' -f %s` and add the new one",
		ErrUntrusted, name, ssh.FingerprintSHA256(key), known.Filename, known.Line, ssh.FingerprintSHA256(known.Key), name, known.Filename)
}

// algorithms returns the algorithms of the server's known keys, so that the server does not present
// another of its keys.
func (h *hostKeys) algorithms(remote net.Addr) []string {
	nobody, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var wrong *knownhosts.KeyError
	if !errors.As(h.check(h.options.address(), remote, nobody), &wrong) {
		return nil
	}
	var all []string
	for _, known := range wrong.Want {
		switch t := known.Key.Type(); t {
		case ssh.KeyAlgoRSA:
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			all = append(all, t)
		}
	}
	return all
}

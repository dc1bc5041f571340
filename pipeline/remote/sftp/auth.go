package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// methods returns the ways to log in, keys first. Secrets are requested when the server needs them.
// The caller must close the connection to the agent after the login.
func (o *Options) methods(ctx context.Context) ([]ssh.AuthMethod, io.Closer, error) {
	var methods []ssh.AuthMethod
	var closer io.Closer = io.NopCloser(nil)
	var signers []ssh.Signer
	for _, key := range o.Keys {
		signer, err := key.signer(ctx)
		if err != nil && key.Optional {
			continue
		}
		if err != nil {
			return nil, closer, fmt.Errorf("%w: %w", ErrDenied, err)
		}
		signers = append(signers, signer)
	}
	held := func() ([]ssh.Signer, error) { return nil, nil }
	if o.Agent != "" {
		conn, err := net.Dial("unix", o.Agent)
		switch {
		case err == nil:
			closer, held = conn, agent.NewClient(conn).Signers
		case len(signers) == 0 && o.Password == nil:
			return nil, closer, fmt.Errorf("%w: ask the agent for keys: %w", ErrDenied, err)
		}
	}
	if len(signers) > 0 || o.Agent != "" {
		methods = append(methods, ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			more, err := held()
			return append(signers, more...), err
		}))
	}
	if o.Password != nil {
		secret := func() (string, error) { return o.Password(ctx) }
		methods = append(methods, ssh.PasswordCallback(secret), ssh.KeyboardInteractive(answer(secret)))
	}
	return methods, closer, nil
}

// answer gives the password to a server that asks a single hidden question.
func answer(secret func() (string, error)) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		if len(questions) == 0 {
			return nil, nil
		}
		if len(questions) > 1 || echos[0] {
			return nil, errors.New("the server asks for more than a password")
		}
		password, err := secret()
		return []string{password}, err
	}
}

func (k Key) signer(ctx context.Context) (ssh.Signer, error) {
	text, err := os.ReadFile(k.File)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	var encrypted *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer, nil
	case !errors.As(err, &encrypted):
		return nil, fmt.Errorf("read the key in %s: %w", k.File, err)
	case k.Passphrase == nil:
		return nil, fmt.Errorf("the key in %s is encrypted, and no passphrase is given", k.File)
	}
	passphrase, err := k.Passphrase(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the passphrase of the key in %s: %w", k.File, err)
	}
	if signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase)); err != nil {
		return nil, fmt.Errorf("decrypt the key in %s: wrong passphrase, or the file is damaged", k.File)
	}
	return signer, nil
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/packstone/packstone/crypto"
)

// generateMessage is what key generate prints as JSON.
type generateMessage struct {
	Recipient string `json:"recipient" doc:"The public key: give it to key add or init --recipient."`
	File      string `json:"file,omitempty" doc:"The file with the secret key."`
}

type generateOptions struct {
	classic    bool
	passphrase bool
	output     string
}

func newKeyGenerate(a *app) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make an identity, which restores what is sealed to its recipient, and print the recipient.",
		Long: `The file is an age identity file, which only its owner can read. It goes to the usual place of this machine's identity unless -o
says otherwise. A file that is there is never replaced.`,
		Example: `  packstone key generate -o custodian.txt
  packstone key generate --passphrase -o custodian.age`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.classic, "classic", false, "make an X25519 key instead of a hybrid post-quantum one")
	cmd.Flags().BoolVar(&o.passphrase, "passphrase", false, "protect the file by a passphrase, asked for or from PACKSTONE_PASSPHRASE[_FILE]")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "`file` to write")
	return a.verb(cmd, usesDryRun, func(context.Context, []string) error { return a.generateIdentity(o) })
}

func (a *app) generateIdentity(o generateOptions) error {
	path := o.output
	if path == "" {
		path = a.paths.identityFile()
	}
	if a.flags.dryRun {
		a.out.Note("would write a new identity to %s", path)
		return nil
	}
	passphrase, err := a.newPassphrase(o.passphrase, path)
	if err != nil {
		return err
	}
	identity, err := crypto.GenerateIdentity(o.classic)
	if err != nil {
		return err
	}
	m, err := writeIdentity(path, identity, passphrase)
	if err != nil {
		return err
	}
	a.out.Note("the identity is in %s: keep two copies, away from the machines that it is to restore", path)
	a.out.Message("key_generate", m, m.Recipient)
	return a.out.Err()
}

func writeIdentity(path string, identity age.Identity, passphrase string) (m generateMessage, err error) {
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		return m, err
	}
	var text bytes.Buffer
	err = crypto.WriteIdentityFile(&text, crypto.IdentityFile{Identities: []age.Identity{identity}}, crypto.IdentityFileOptions{
		Comments:   []string{"packstone identity: it restores everything that was sealed to it."},
		Created:    time.Now(),
		Passphrase: passphrase,
	})
	if err != nil {
		return m, err
	}
	m.File = path
	if m.Recipient, err = crypto.RecipientText(recipient); err != nil {
		return m, err
	}
	return m, writeKey(path, text.Bytes())
}

// newPassphrase gets the passphrase for a new file, from the environment or twice from the terminal. "" if none is wanted.
func (a *app) newPassphrase(wanted bool, path string) (string, error) {
	if !wanted {
		return "", nil
	}
	text, err := a.env.orFile("PACKSTONE_PASSPHRASE")
	if text != "" || err != nil {
		return text, err
	}
	input, ok := terminal(a.stdin)
	if !ok {
		return "", usage("--passphrase: set PACKSTONE_PASSPHRASE_FILE, since there is no terminal to ask on")
	}
	var texts [2]string
	for i, prompt := range []string{"Passphrase for %s: ", "Once more for %s: "} {
		fmt.Fprintf(a.stderr, prompt, path)
		read, err := term.ReadPassword(int(input.Fd()))
		fmt.Fprintln(a.stderr)
		if err != nil {
			return "", fmt.Errorf("ask for the passphrase: %w", err)
		}
		texts[i] = strings.TrimRight(string(read), "\r\n")
	}
	if texts[0] == "" || texts[0] != texts[1] {
		return "", usage("the passphrase is empty, or was not the same twice")
	}
	return texts[0], nil
}

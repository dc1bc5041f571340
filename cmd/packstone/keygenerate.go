package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/machine"
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
		path = a.Paths.IdentityFile()
	}
	if a.flags.dryRun {
		a.out.Note("would write a new identity to %s", path)
		return nil
	}
	passphrase, err := a.NewPassphrase(o.passphrase, path)
	if err != nil {
		return err
	}
	recipient, err := machine.GenerateIdentity(path, o.classic, passphrase)
	if err != nil {
		return err
	}
	m := generateMessage{Recipient: recipient, File: path}
	a.out.Note("the identity is in %s: keep two copies, away from the machines that it is to restore", path)
	a.out.Message("key_generate", m, m.Recipient)
	return a.out.Err()
}
